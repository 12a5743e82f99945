use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use toolhost_policy::Secret;

use crate::{Admin, AdminError};

/// What an operator may ask for, with the type of its answer. A secret never stands in the request
/// itself: it goes in a frame of its own.
pub trait AdminOperation: Serialize + DeserializeOwned + Send {
    /// What a request is answered with.
    type Answer: Serialize + DeserializeOwned + Send;

    /// Carries the request out.
    ///
    /// # Errors
    /// The sentence says what to change.
    fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> impl Future<Output = Result<Self::Answer, AdminError>> + Send;

    /// Whether a secret follows the request.
    fn takes_secret(&self) -> bool {
        false
    }

    /// Whether it stores a credential, whose tenant is to be there then.
    fn stores_credential(&self) -> bool {
        false
    }

    /// Whether it names plugins, so that it is to be known which there are.
    fn names_plugins(&self) -> bool {
        false
    }

    /// The tenant of which it keeps the first record, so that a data directory is made for it where
    /// there is none.
    fn tenant_to_create(&self) -> Option<&str> {
        None
    }
}

/// What comes with a request.
#[derive(Debug)]
pub struct OperationContext {
    /// The secret that followed it.
    pub secret: Option<Secret>,
    /// Who asks, for the record.
    pub by: String,
    /// Takes what comes before the answer.
    pub lines: mpsc::Sender<Vec<u8>>,
}

impl OperationContext {
    /// The secret.
    ///
    /// # Errors
    /// None came, which the sentence says.
    pub(crate) fn secret(&mut self, missing: &str) -> Result<Secret, AdminError> {
        self.secret
            .take()
            .ok_or_else(|| AdminError::invalid(missing))
    }
}
