use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toolhost_sdk::{Failure, Http};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    /// How many days back.
    #[schemars(range(min = 1, max = 90))]
    #[serde(default = "a_week")]
    days: u32,
}

const fn a_week() -> u32 {
    7
}

impl Period {
    /// Asks one of the two systems for these days.
    pub(crate) fn fetch<T: DeserializeOwned>(
        &self,
        connection: &str,
        path: &str,
    ) -> Result<T, Failure> {
        let answer = Http::connection(connection)
            .get(path)
            .query("days", self.days)
            .send()?;
        // Their own error texts are written for their operators.
        answer.json().map_err(|error| match error.status {
            Some(status) => Failure {
                message: format!("there are no figures (status {status})"),
                ..error.into()
            },
            None => error.into(),
        })
    }
}
