use toolhost_sdk::Failure;

use crate::descriptor::Argument;

/// Why arguments make no request. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// They are no JSON object.
    #[error("the arguments are not a JSON object")]
    NotAnObject,
    /// The operation does not have it.
    #[error("there is no argument {0:?}")]
    Unknown(String),
    /// It must be there.
    #[error("the argument {0:?} is missing")]
    Missing(String),
    /// Its place cannot hold the value.
    #[error("the argument {0:?}: {1}")]
    CannotHold(String, &'static str),
}

impl Mistake {
    pub(crate) fn missing(argument: &Argument) -> Self {
        Self::Missing(argument.name.clone())
    }

    pub(crate) fn cannot_hold(argument: &Argument, why: &'static str) -> Self {
        Self::CannotHold(argument.name.clone(), why)
    }
}

impl From<Mistake> for Failure {
    fn from(mistake: Mistake) -> Self {
        Self::invalid_arguments(mistake.to_string())
    }
}
