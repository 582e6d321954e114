//! The cluster: what is asked of kube-apiserver, and what it tells by itself.
//!
//! Asked: a Secret of the request's namespace ([`secret`]), who a bearer token is and what somebody may do
//! ([`review`]). Told, by list and watch: whom to believe as a front proxy ([`front_proxy`]) and the Challenges
//! ([`challenges`]). Nothing else is read, and nothing is ever written.

mod call;
pub mod challenges;
pub mod client;
pub mod follow;
pub mod front_proxy;
pub mod review;
pub mod secret;
mod token_file;
