use toolhost_policy::CheckedConnection;
use toolhost_sandbox::{AdapterComponent, answer_from_bytes, contract};

use super::{
    SkippedOperation, ToolNote, document, granted_tools, left_out, tool_choice, tool_notes,
};
use crate::config::AdapterSettings;
use crate::grants::{self, answers};
use crate::setup::Setup;

/// What the adapter found in the document that somebody has said yes to, as long as the adapter is
/// the one that it was approved with, and the document is still kept. Nothing is fetched.
pub(super) async fn of_document(
    setup: &Setup,
    adapter: &AdapterComponent,
    settings: &AdapterSettings,
    yes: &grants::ConnectionApproval,
) -> Option<contract::Discovery> {
    if yes.digest != adapter.digest().to_string() {
        return None;
    }
    let digest = yes.document.as_deref()?;
    match adapter.cached_discovery(
        &document::digest(digest)?,
        &tool_choice::allowed_operations(settings),
    ) {
        Some(discovery) => Some(discovery),
        None => {
            let document = answers::directory(&setup.lock).read(digest)?;
            adapter
                .discover(document, None, &tool_choice::allowed_operations(settings))
                .await
                .ok()?
                .ok()
        }
    }
}

/// What the system said that somebody has said yes to, under the same conditions.
pub(super) fn of_answer(
    setup: &Setup,
    adapter: &AdapterComponent,
    yes: &grants::ConnectionApproval,
) -> Option<contract::Discovery> {
    if yes.digest != adapter.digest().to_string() {
        return None;
    }
    answer_from_bytes(&answers::directory(&setup.lock).read(yes.answer.as_deref()?)?)
}

/// What was said yes to of a connection: nothing is fetched, asked or approved. `None` where it is
/// not kept any more, or another adapter is there by now.
async fn discovery(
    setup: &Setup,
    adapter: &AdapterComponent,
    settings: &AdapterSettings,
    yes: &grants::ConnectionApproval,
) -> Option<contract::Discovery> {
    match &settings.spec {
        Some(_) => of_document(setup, adapter, settings, yes).await,
        None => of_answer(setup, adapter, yes),
    }
}

/// The tools of a connection that are approved and chosen, for looking at them, under the same
/// conditions.
pub(crate) async fn approved_tools(
    setup: &Setup,
    adapter: &AdapterComponent,
    settings: &AdapterSettings,
    yes: &grants::ConnectionApproval,
) -> Option<Vec<contract::Discovered>> {
    let discovery = discovery(setup, adapter, settings, yes).await?;
    Some(tool_choice::chosen_tools(
        settings,
        granted_tools(discovery.tools, yes),
    ))
}

/// What gives no tool of it, and what is said of its tools, under the same conditions.
pub(crate) async fn approved_left_out(
    setup: &Setup,
    adapter: &AdapterComponent,
    connection: &CheckedConnection,
    settings: &AdapterSettings,
    yes: &grants::ConnectionApproval,
) -> Option<(Vec<SkippedOperation>, Vec<ToolNote>)> {
    let discovery = discovery(setup, adapter, settings, yes).await?;
    Some((left_out(connection, &discovery), tool_notes(&discovery)))
}
