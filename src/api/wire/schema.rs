//! The fields of a `ChallengePayload`. The names of Go's types are part of the texts about fields of the wrong type.
//!
//! Sources: `pkg/acme/webhook/apis/acme/v1alpha1/types.go` of cert-manager, `pkg/apis/meta/v1/types.go` of
//! `k8s.io/apimachinery`.

use crate::api::fields::Kind::{Anything, Flag, List, Number, Object, Text};
use crate::api::fields::{Kind, Schema};

/// `kind` and `apiVersion` come beside these.
pub(super) const REQUEST_FIELD: (&str, Kind) = ("request", Object(&REQUEST));
pub(super) const RESPONSE_FIELD: (&str, Kind) = ("response", Object(&RESPONSE));

/// In the order of [`crate::challenge::ChallengeRequest`].
const REQUEST: Schema = Schema {
    name: "ChallengeRequest",
    qualified: "v1alpha1.ChallengeRequest",
    fields: &[
        ("uid", UID),
        ("action", Text("v1alpha1.ChallengeAction")),
        ("type", STRING),
        ("dnsName", STRING),
        ("key", STRING),
        ("resourceNamespace", STRING),
        ("resolvedFQDN", STRING),
        ("resolvedZone", STRING),
        ("allowAmbientCredentials", Flag),
        ("config", Anything),
    ],
};

/// Of no use in a request, but its fields are checked.
const RESPONSE: Schema = Schema {
    name: "ChallengeResponse",
    qualified: "v1alpha1.ChallengeResponse",
    fields: &[("uid", UID), ("success", Flag), ("status", Object(&STATUS))],
};

const STATUS: Schema = Schema {
    name: "Status",
    qualified: "v1.Status",
    fields: &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("metadata", Object(&LIST_META)),
        ("status", STRING),
        ("message", STRING),
        ("reason", Text("v1.StatusReason")),
        ("details", Object(&DETAILS)),
        ("code", Number("int32")),
    ],
};

const LIST_META: Schema = Schema {
    name: "ListMeta",
    qualified: "v1.ListMeta",
    fields: &[
        ("selfLink", STRING),
        ("resourceVersion", STRING),
        ("continue", STRING),
        ("remainingItemCount", Number("int64")),
        ("shardInfo", Object(&SHARD_INFO)),
    ],
};

const SHARD_INFO: Schema =
    Schema { name: "ShardInfo", qualified: "v1.ShardInfo", fields: &[("selector", STRING)] };

const DETAILS: Schema = Schema {
    name: "StatusDetails",
    qualified: "v1.StatusDetails",
    fields: &[
        ("name", STRING),
        ("group", STRING),
        ("kind", STRING),
        ("uid", UID),
        ("causes", List(&Object(&CAUSE))),
        ("retryAfterSeconds", Number("int32")),
    ],
};

const CAUSE: Schema = Schema {
    name: "StatusCause",
    qualified: "v1.StatusCause",
    fields: &[("reason", Text("v1.CauseType")), ("message", STRING), ("field", STRING)],
};

const STRING: Kind = Text("string");
const UID: Kind = Text("types.UID");
