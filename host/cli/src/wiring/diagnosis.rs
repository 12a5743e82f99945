use std::sync::Arc;

use toolhost_admin::{AdminClient, AdminOperation, AdminRequest, ClientError, HostOperations};
use toolhost_policy::Secret;

use super::{HostBuilder, check_server, has_embedded};
use crate::diagnosis::HostDiagnosis;
use crate::exit::CliError;
use crate::plugins::{ServingParts, Verdicts};
use crate::setup::Setup;

/// Asks the host that runs on the data directory, if one does.
///
/// # Errors
/// The request's own; the directory belongs to a process that does not answer.
pub(crate) async fn ask_running<O: AdminOperation + Into<AdminRequest>>(
    setup: &Setup,
    operation: O,
    secret: Option<&Secret>,
) -> anyhow::Result<Option<O::Answer>> {
    let Some(data) = &setup.config.data else {
        return Ok(None);
    };
    let mut client = match AdminClient::connect(&data.dir).await {
        Ok(client) => client,
        Err(ClientError::NobodyThere) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let answer = client.ask(operation, secret, &mut |_| Ok(())).await;
    answer.map(Some).map_err(|error| match error {
        ClientError::Refused(refused) => refused.into(),
        other => other.into(),
    })
}

/// The parts that a question goes through, where no host runs.
///
/// # Errors
/// Those of a start of the host; nothing was kept in the data directory yet.
pub(crate) async fn open_diagnosis(setup: &Arc<Setup>) -> anyhow::Result<Arc<dyn HostOperations>> {
    let refused = check_server(setup).err();
    // Looking at nothing must not make a directory, keys and all.
    if let Some(data) = &setup.config.data
        && data.postgres.is_none()
        && !has_embedded(&data.dir)
    {
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        let path = data.dir.display();
        return Err(CliError::usage(format!(
            "{path} is not a data directory: nothing was kept there yet"
        ))
        .into());
    }
    let builder = HostBuilder::open(setup, &[]).await?;
    let (providers, _) = builder.providers(setup)?;
    let serving = ServingParts {
        assignments: Arc::clone(&builder.storage.assignments),
        egress: builder.egress(providers.clone())?,
    };
    let verdicts = Verdicts::evaluate(Arc::clone(setup), Some(serving)).await?;
    let unstartable = refused.or(verdicts.refused);
    let diagnosis = builder.diagnosis(setup, providers, verdicts.connections, verdicts.tools);
    Ok(Arc::new(HostDiagnosis {
        unstartable: unstartable.map(|failure| failure.message),
        ..diagnosis
    }))
}
