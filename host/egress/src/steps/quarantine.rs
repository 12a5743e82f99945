use toolhost_policy::Connection;

use crate::quarantine::{Quarantine, QuarantineError, ReflectionVerdict};
use crate::{EgressCall, EgressCode, EgressFailure};

/// Refuses a request on a connection that has sent its credential back to this call, or so often to
/// this plugin of this tenant that it is quarantined.
///
/// # Errors
/// `reflected`; `denied` where nobody knows.
pub async fn quarantine(
    quarantine: &Quarantine,
    call: &EgressCall,
    connection: &Connection,
) -> Result<(), EgressFailure> {
    check_not_ended(call, connection)?;
    let space = call.binding().space();
    match quarantine
        .contains(&space, call.plugin(), &connection.name)
        .await
    {
        Ok(false) => Ok(()),
        Ok(true) => Err(quarantined_error(connection)),
        Err(error) => Err(unknown_quarantine_error(call, connection, &error)),
    }
}

/// What has followed from the credential in one answer.
#[derive(Debug, Default)]
pub struct ReflectionTracker {
    /// This answer is the one for which the connection ended.
    has_ended: bool,
    is_recorded: bool,
}

impl ReflectionTracker {
    /// Takes the consequences before anything of the answer is handed on: the connection ends for
    /// this call, and with the second such call it is quarantined. So a mirror answers one guess.
    /// Nothing follows where the operator accepts that the operation reflects. `reflections`: how
    /// often the credential was found so far.
    ///
    /// Where the future is dropped, the next one goes on.
    ///
    /// # Errors
    /// `reflected`: the answer is withheld, also one without the credential that comes while
    /// another has ended the connection.
    pub async fn settle(
        &mut self,
        quarantine: &Quarantine,
        call: &EgressCall,
        connection: &Connection,
        is_accepted: bool,
        reflections: u64,
    ) -> Result<(), EgressFailure> {
        if self.is_recorded {
            return Ok(());
        }
        if !self.has_ended {
            if reflections == 0 || is_accepted {
                return check_not_ended(call, connection).map_err(EgressFailure::after_sending);
            }
            if !call.end_connection(&connection.name) {
                return Err(ended_error(connection).after_sending());
            }
            self.has_ended = true;
        }
        record(quarantine, call, connection).await?;
        self.is_recorded = true;
        Ok(())
    }
}

/// Records a result that holds the credential of a connection, which is withheld in any case.
pub(crate) async fn record(
    quarantine: &Quarantine,
    call: &EgressCall,
    connection: &Connection,
) -> Result<(), EgressFailure> {
    let space = call.binding().space();
    match quarantine
        .record_reflection(&space, call.plugin(), &connection.name)
        .await
    {
        Ok(ReflectionVerdict::HandOn) => Ok(()),
        Ok(ReflectionVerdict::Withhold(_)) => Err(quarantined_error(connection).after_sending()),
        Err(error) => Err(unknown_quarantine_error(call, connection, &error).after_sending()),
    }
}

fn check_not_ended(call: &EgressCall, connection: &Connection) -> Result<(), EgressFailure> {
    if call.has_ended(&connection.name) {
        Err(ended_error(connection))
    } else {
        Ok(())
    }
}

fn ended_error(connection: &Connection) -> EgressFailure {
    let text = format!(
        "connection {} has sent its credential back in this call, which may not use it any more",
        connection.name
    );
    EgressFailure::new(EgressCode::Reflected, text)
}

fn quarantined_error(connection: &Connection) -> EgressFailure {
    let text = format!(
        "connection {name} is quarantined for this plugin and tenant, since it has sent its credential back; the operator looks \
         with `host connection quarantines` and lifts it with `host connection lift {name} --tenant TENANT`",
        name = connection.name
    );
    EgressFailure::new(EgressCode::Reflected, text)
}

fn unknown_quarantine_error(
    call: &EgressCall,
    connection: &Connection,
    error: &QuarantineError,
) -> EgressFailure {
    tracing::error!(connection = %connection.name, call = call.id(), %error, "nobody knows whether a connection is quarantined");
    EgressFailure::denied(format!(
        "it cannot be read whether connection {} is quarantined; the log has the reason",
        connection.name
    ))
}
