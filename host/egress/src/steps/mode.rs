use toolhost_policy::ConnectionName;

use crate::failure::quote;
use crate::{EgressCall, EgressFailure};

/// Whether the call's operation mode lets a request of this method out, whatever the tool says of
/// itself (N22).
///
/// # Errors
/// `denied`. The call has no result then, whatever the guest makes of the refusal.
pub fn mode(
    call: &EgressCall,
    connection: &ConnectionName,
    method: &str,
) -> Result<(), EgressFailure> {
    let mode = call.mode();
    if mode.lets_method(method) {
        return Ok(());
    }
    call.block();
    Err(EgressFailure::denied(format!(
        "the operation mode is {mode}: {} to connection {connection} is not let out",
        quote(method)
    )))
}

#[cfg(test)]
mod tests {
    use toolhost_policy::{ConnectionName, OperationMode};

    use super::mode;
    use crate::EgressCode;
    use crate::testing::{call, grant_of};

    #[test]
    fn a_read_only_call_sends_nothing_that_changes_anything_and_remembers_that_it_tried() {
        let billing = ConnectionName::parse("billing").unwrap();
        let of = |mode| {
            call(grant_of("billing", "https://billing.example.com", |_| {}))
                .of_read_only_tool(true)
                .with_mode(mode)
        };
        let read = of(OperationMode::ReadOnly);
        assert!(mode(&read, &billing, "GET").is_ok() && !read.was_blocked());
        assert_eq!(
            mode(&read, &billing, "POST").unwrap_err().code,
            EgressCode::Denied
        );
        assert!(read.was_blocked());
        let standard = of(OperationMode::Standard);
        assert!(mode(&standard, &billing, "POST").is_ok() && !standard.was_blocked());
        assert!(mode(&standard, &billing, "DELETE").is_err() && standard.was_blocked());
    }
}
