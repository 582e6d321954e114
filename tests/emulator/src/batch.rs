//! `POST …/dns_records/batch`: deletes, patches, puts, posts, in this order and all or nothing.
//! [D: dns/manage-dns-records/how-to/batch-record-changes]

use serde::{Deserialize, Serialize};

use crate::envelope::ApiError;
use crate::records::{Change, Op, RecordView};
use crate::settings::Switches;
use crate::validation::Body;
use crate::world::Plan;

/// The body of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BatchBody {
    deletes: Vec<Body>,
    patches: Vec<Body>,
    puts: Vec<Body>,
    posts: Vec<Body>,
}

/// Its result: full records, in the order of the request; deleted ones too. [D]
#[derive(Debug, Serialize)]
pub(crate) struct BatchResult {
    deletes: Vec<RecordView>,
    patches: Vec<RecordView>,
    puts: Vec<RecordView>,
    posts: Vec<RecordView>,
}

/// How many of each kind there were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    deletes: usize,
    patches: usize,
    puts: usize,
}

impl BatchBody {
    /// The writes, in the order in which they apply.
    pub(crate) fn into_ops(self, plan: Plan, switches: &Switches) -> Result<(Vec<Op>, Shape), ApiError> {
        let shape = Shape { deletes: self.deletes.len(), patches: self.patches.len(), puts: self.puts.len() };
        let total = shape.deletes + shape.patches + shape.puts + self.posts.len();
        let most = if plan == Plan::Free { 200 } else { 3500 };
        if total > most {
            // [D for the limit; code and text U]
            let message = format!("Batch exceeds the maximum of {most} operations.");
            return Err(ApiError::dns(400, 9209, message));
        }
        if total == 0 && switches.empty_batch_is_400 {
            return Err(ApiError::dns(400, 9207, "Batch is empty.")); // U
        }
        let mut ops = Vec::with_capacity(total);
        for body in self.deletes {
            ops.push(Op::Delete(id(&body)?));
        }
        for body in self.patches {
            ops.push(Op::Patch(id(&body)?, body));
        }
        for body in self.puts {
            ops.push(Op::Put(id(&body)?, body));
        }
        ops.extend(self.posts.into_iter().map(Op::Post));
        Ok((ops, shape))
    }
}

impl BatchResult {
    /// Puts the changes back under their headings.
    pub(crate) fn new(changes: Vec<Change>, shape: Shape) -> Self {
        let mut records = changes.into_iter().filter_map(Change::record);
        Self {
            deletes: records.by_ref().take(shape.deletes).collect(),
            patches: records.by_ref().take(shape.patches).collect(),
            puts: records.by_ref().take(shape.puts).collect(),
            posts: records.collect(),
        }
    }
}

fn id(body: &Body) -> Result<String, ApiError> {
    body.id.clone().ok_or_else(|| ApiError::dns(400, 9207, "id is a required field."))
}
