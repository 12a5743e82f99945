//! The server's clock, as its hosts have it.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};
use toolhost_policy::UnixTime;

use super::error::PostgresFault;

/// What the server is asked; an answer in milliseconds also says that its connection is alive.
const ASK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// What the server's clock said last. Between two readings this machine's second clock goes on from
/// there, which nobody sets: hosts whose own clocks differ agree to the time that an answer takes.
#[derive(Debug)]
pub(super) struct ServerClock(RwLock<ClockReading>);

#[derive(Debug, Clone, Copy)]
struct ClockReading {
    millis: u64,
    at: Instant,
}

impl ServerClock {
    /// Reads it for the first time.
    pub(super) async fn read(client: &Client) -> Result<Self, PostgresFault> {
        Ok(Self(RwLock::new(ask(client).await?)))
    }

    /// Reads it again.
    pub(super) async fn renew(&self, client: &Client) -> Result<(), PostgresFault> {
        let reading = ask(client).await?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reading;
        Ok(())
    }

    pub(super) fn now(&self) -> UnixTime {
        let reading = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        let since = reading.at.elapsed();
        UnixTime::from_secs(
            Duration::from_millis(reading.millis)
                .saturating_add(since)
                .as_secs(),
        )
    }
}

async fn ask(client: &Client) -> Result<ClockReading, PostgresFault> {
    // From before the question: what the answer took makes it late and never early.
    let at = Instant::now();
    let messages = client.simple_query(ASK).await?;
    let text = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let millis = text.and_then(|text| text.parse().ok());
    let millis = millis
        .ok_or_else(|| PostgresFault::connection_lost("the server does not say what time it is"))?;
    Ok(ClockReading { millis, at })
}
