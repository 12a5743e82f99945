use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toolhost_store::Space;

use crate::space_row::space_row;
use crate::{Admin, AdminError, AdminOperation, OperationContext, SpaceRow};

/// Writes a backup into an empty directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackUpStore {
    /// Where, as an absolute path.
    pub directory: PathBuf,
}

impl AdminOperation for BackUpStore {
    type Answer = Vec<SpaceRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<SpaceRow>, AdminError> {
        let written = admin.parts.store.backup(&self.directory).await?;
        let row = |space: &Space, records, bytes| space_row(space, &Ok((records, bytes)));
        let rows = written
            .iter()
            .map(|one| row(&one.space, one.contents.records, one.contents.bytes));
        Ok(rows.collect())
    }
}
