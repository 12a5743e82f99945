/// What came back for a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<T> {
    /// The person filled in the form, or the client's model wrote something.
    Accepted(T),
    /// The person said no.
    Declined,
    /// The person closed the question without an answer.
    Cancelled,
}

impl<T> Answer<T> {
    /// What was accepted.
    pub fn accepted(self) -> Option<T> {
        match self {
            Self::Accepted(value) => Some(value),
            Self::Declined | Self::Cancelled => None,
        }
    }
}
