//! A schedule that fails, made as small as it can be while it fails.

use crate::bugs::Bug;
use crate::plan::Plan;
use crate::play::{Outcome, play};

/// Takes away one thing after the other for as long as something is still broken.
#[must_use]
pub fn shrink(plan: &Plan, bug: Option<Bug>) -> (Plan, Outcome) {
    let mut smallest = (plan.clone(), play(plan, bug));
    loop {
        let fails = |plan: Plan| {
            let outcome = play(&plan, bug);
            outcome.violation.is_some().then_some((plan, outcome))
        };
        match smallest.0.smaller().into_iter().find_map(fails) {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}
