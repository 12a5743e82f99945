use toolhost_sandbox::{Adapter, contract};

use super::{chosen, document, granted};
use crate::config::AdapterSettings;
use crate::grants;
use crate::setup::Setup;

/// What the adapter found in the document that somebody has said yes to, as long as the adapter is the one that it was
/// approved with, and the finding or the document is still kept. Nothing is fetched.
pub(super) async fn of_document(
    setup: &Setup,
    adapter: &Adapter,
    yes: &grants::Described,
) -> Option<contract::Discovery> {
    if yes.digest != adapter.digest().to_string() {
        return None;
    }
    let digest = yes.document.as_deref()?;
    match adapter.found_before(&document::digest(digest)?) {
        Some(discovery) => Some(discovery),
        None => {
            let document = document::kept(setup, digest)?;
            adapter.discover(document, None).await.ok()?.ok()
        }
    }
}

/// What the system said that somebody has said yes to, under the same conditions.
pub(super) fn of_answer(adapter: &Adapter, yes: &grants::Described) -> Option<contract::Discovery> {
    if yes.digest != adapter.digest().to_string() {
        return None;
    }
    adapter.answered_before(yes.answer.as_deref()?)
}

/// The tools of a connection that are approved and chosen, for looking at them: nothing is fetched, asked or approved. `None`
/// where what was approved is not kept any more, or another adapter is there by now.
pub(crate) async fn approved(
    setup: &Setup,
    adapter: &Adapter,
    settings: &AdapterSettings,
    yes: &grants::Described,
) -> Option<Vec<contract::Discovered>> {
    let discovery = match &settings.spec {
        Some(_) => of_document(setup, adapter, yes).await?,
        None => of_answer(adapter, yes)?,
    };
    Some(chosen::only(settings, granted(discovery.tools, yes)))
}
