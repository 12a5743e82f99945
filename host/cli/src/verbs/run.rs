use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use toolhost_gateway::{
    Dispatcher, Gateway, GatewayConfig, StdioCaller, admin, record_metrics, serve_metrics, serve_stdio,
};
use toolhost_net::Network;
use toolhost_policy::Limits;
use toolhost_sandbox::Sandbox;
use toolhost_tenancy::AuthorityCredentials;
use toolhost_tools::Tools;
use url::Url;

use crate::args::{OutputFormat, RunArgs};
use crate::diagnosis::HostDiagnosis;
use crate::exit::CliError;
use crate::plugins::{
    self, ApprovalMode, Candidate, PendingPlugins, ServedConnections, ServedGrants, StartupTimeouts,
};
use crate::requirements::{self, CallerSource};
use crate::setup::Setup;
use crate::wiring::{self, HostStorage, ListenAddresses, ProviderParts, Providers, SessionSetup};
use crate::{open_files, output, screen, secret_ref};

/// Beside the arguments of a call a request has a frame, answers to what a tool asked, and a sealed state; and JSON may
/// escape every byte of a string.
const BODY_FRAME: u64 = 256 << 10;

/// Serves until a signal.
pub(super) fn run(args: &RunArgs, format: OutputFormat) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut setup = Setup::gather(&args.wiring)?;
    if let Some(text) = &args.metrics_token {
        setup.config.server.metrics_token = Some(secret_ref::parse("--metrics-token", text)?);
    }
    let setup = Arc::new(setup);
    if args.token.is_some() && setup.dev_tenant.is_some() {
        return Err(CliError::usage(
            "--token and --dev-tenant (or DEV_TENANT_NAME) say two different callers; keep one",
        )
        .into());
    }
    let doors = ListenAddresses {
        listen: args.listen.unwrap_or(setup.config.server.listen),
        metrics: args.metrics_listen.or(setup.config.server.metrics_listen),
    };
    if !args.stdio {
        wiring::check_addresses(&setup, doors)?;
    }
    let candidates = plugins::candidates(&setup);
    let door = if args.stdio {
        CallerSource::One {
            token: args.token.is_some(),
        }
    } else {
        CallerSource::Http
    };
    requirements::check(
        &setup,
        &candidates
            .iter()
            .filter_map(|one| one.manifest.as_ref())
            .collect::<Vec<_>>(),
        door,
    )?;
    plugins::refuse_nothing(&candidates)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("door")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if args.stdio {
            over_stdio(args, &setup, candidates).await
        } else {
            over_http(&setup, candidates, doors, format, started).await
        }
    })
}

async fn over_http(
    setup: &Arc<Setup>,
    candidates: Vec<Candidate>,
    doors: ListenAddresses,
    format: OutputFormat,
    started: Instant,
) -> anyhow::Result<()> {
    // Before the first slow step: a port that is taken is said at once.
    let listener = wiring::bind("--listen", doors.listen).await?;
    let local = listener.local_addr()?;
    let metrics = match doors.metrics {
        None => None,
        Some(address) => Some(wiring::bind("--metrics-listen", address).await?),
    };
    let metrics_local = metrics
        .as_ref()
        .map(tokio::net::TcpListener::local_addr)
        .transpose()?;
    let asking = Arc::new(AtomicBool::new(false));
    let shutdown = {
        let server = &setup.config.server;
        wiring::shutdown_signal(Arc::clone(&asking), server.drain.saturating_add(server.grace))?
    };
    if let Some(listener) = metrics {
        let handle = record_metrics().context("metrics cannot be recorded")?;
        let token = setup.config.server.metrics_token.as_ref();
        let token = token
            .map(|source| secret_ref::text("metrics_token", source))
            .transpose()?;
        tokio::spawn(serve_metrics(listener, handle, token, shutdown.clone()));
    }
    let listeners: Vec<SocketAddr> = metrics_local.into_iter().chain([local]).collect();
    let network = wiring::network()?;
    let ground = HostStorage::open(setup).await?;
    let directory = wiring::directory(setup, ground.kept.as_ref(), &network)?;
    let kept = ground.kept.as_ref();
    let tenancy = wiring::tenancy(setup, &listeners, &network, Arc::clone(&directory), kept)?;
    let choosing = SessionSetup::new(setup, Arc::clone(&ground.store), directory, &network)?;
    let switching = choosing.tenant_switcher(setup, Arc::clone(&ground.audit), Arc::clone(&ground.states));
    let authority = choosing.credentials;
    banner(setup, Some(local));
    let public_url = wiring::public_url(setup, local)?;
    // Nothing of it is left to do when a signal comes during a long compilation.
    let served = tokio::select! {
        served = build_host_parts(setup, candidates, &network, &ground, authority, Some(public_url.clone()), Some(&asking)) => served?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let arguments = setup.config.limits.arguments_bytes;
    let config = GatewayConfig {
        public_url: public_url.clone(),
        allowed_hosts: setup.config.server.allowed_hosts.clone(),
        allowed_origins: setup.config.server.allowed_origins.clone(),
        max_body_bytes: usize::try_from(arguments.saturating_mul(2).saturating_add(BODY_FRAME))?,
        version: env!("CARGO_PKG_VERSION"),
    };
    let HostParts {
        tools,
        sandbox,
        providers,
        connections,
        grants,
        pending,
        answers,
    } = served;
    let statuses = Arc::clone(tools.statuses());
    let loading = tokio::spawn(pending.finish(answers, shutdown.clone()));
    let sink = Arc::clone(&ground.audit);
    let logins = wiring::logins(setup, &network, ground.kept.as_ref(), &public_url, sink)?;
    let swept = switching.keep_swept(Arc::clone(&ground.store), shutdown.clone());
    wiring::follow(&ground, &switching, &shutdown);
    let looking = HostDiagnosis {
        tenancy: Arc::clone(&tenancy),
        network: Arc::clone(&network),
        connections,
        configured: setup.config.providers.clone(),
        providers,
        grants,
        statuses,
        described: setup.config.adapters.keys().cloned().collect(),
        unstartable: None,
        vault: ground.vault().cloned(),
        logins: logins.clone(),
        calls: Some(Dispatcher::new(tools.clone(), Arc::clone(&switching))),
    };
    let mut gateway = Gateway::new(tools, tenancy, switching, config)
        .with_artifacts(sandbox.artifacts())
        .with_connections(open_files::connections())
        .with_drain(setup.config.server.drain);
    if let Some(logins) = logins {
        gateway = gateway.with_logins(logins);
    }
    ground.record_start(setup).await?;
    if let Some(kept) = &ground.kept {
        let store = Arc::clone(&ground.store);
        wiring::watch_writable(
            gateway.readiness(),
            kept.data_dir.clone(),
            store,
            shutdown.clone(),
        );
        kept.admin.set_operations(Arc::new(looking));
    }
    let admin = admin_socket(&ground, &shutdown)?;
    tracing::info!(url = %public_url, listen = %local, ready_ms = started.elapsed().as_millis(), "serving");
    announce(format, public_url.as_str(), local, metrics_local)?;
    gateway
        .serve(listener, shutdown, setup.config.server.grace)
        .await?;
    sandbox.wait_until_drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    loading.await?;
    ground.record_stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn over_stdio(args: &RunArgs, setup: &Arc<Setup>, candidates: Vec<Candidate>) -> anyhow::Result<()> {
    let shutdown = wiring::shutdown_signal(Arc::new(AtomicBool::new(false)), setup.config.server.grace)?;
    let network = wiring::network()?;
    let ground = HostStorage::open(setup).await?;
    let directory = wiring::directory(setup, ground.kept.as_ref(), &network)?;
    let kept = ground.kept.as_ref();
    let tenancy = wiring::tenancy(setup, &[], &network, Arc::clone(&directory), kept)?;
    banner(setup, None);
    let token = args
        .token
        .as_ref()
        .map(|text| secret_ref::token(&secret_ref::parse("--token", text)?));
    let token = token.transpose()?;
    let choosing = SessionSetup::new(setup, Arc::clone(&ground.store), directory, &network)?;
    let switching = choosing.tenant_switcher(setup, Arc::clone(&ground.audit), Arc::clone(&ground.states));
    wiring::follow(&ground, &switching, &shutdown);
    let swept = switching.keep_swept(Arc::clone(&ground.store), shutdown.clone());
    let caller = match token {
        None => StdioCaller::development(Arc::clone(&tenancy), Arc::clone(&switching)),
        Some(token) => StdioCaller::token(Arc::clone(&tenancy), Arc::clone(&switching), token),
    };
    // A token that is refused at every call is better refused now.
    caller
        .admit()
        .await
        .map_err(|error| CliError::auth(format!("--token: {error}")))?;
    let served = build_host_parts(
        setup,
        candidates,
        &network,
        &ground,
        choosing.credentials,
        None,
        None,
    )
    .await?;
    let loading = tokio::spawn(served.pending.finish(served.answers, shutdown.clone()));
    ground.record_start(setup).await?;
    if let Some(kept) = &ground.kept {
        kept.admin.set_operations(Arc::new(HostDiagnosis {
            tenancy,
            network,
            connections: served.connections,
            configured: setup.config.providers.clone(),
            providers: served.providers,
            grants: served.grants,
            statuses: Arc::clone(served.tools.statuses()),
            described: setup.config.adapters.keys().cloned().collect(),
            unstartable: None,
            vault: ground.vault().cloned(),
            logins: None,
            calls: Some(Dispatcher::new(served.tools.clone(), switching)),
        }));
    }
    let (tools, sandbox) = (served.tools, served.sandbox);
    let admin = admin_socket(&ground, &shutdown)?;
    let served = serve_stdio(tools, caller, env!("CARGO_PKG_VERSION"), shutdown.clone()).await;
    shutdown.cancel();
    sandbox.wait_until_drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    loading.await?;
    ground.record_stop().await;
    Ok(served?)
}

/// The operator's door, where there is a data directory.
fn admin_socket(
    ground: &HostStorage,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(kept) = &ground.kept else {
        return Ok(None);
    };
    let listening = admin::listen(&kept.data_dir, Arc::clone(&kept.admin), shutdown.clone());
    kept.admin.watch_quarantines(shutdown.clone());
    Ok(Some(listening.context("the admin socket cannot be opened")?))
}

/// What a host serves with.
struct HostParts {
    tools: Arc<Tools>,
    sandbox: Sandbox,
    providers: Providers,
    connections: Arc<ServedConnections>,
    grants: Arc<ServedGrants>,
    pending: PendingPlugins,
    answers: ApprovalMode,
}

/// There is no `asking` where stdin belongs to the protocol.
async fn build_host_parts(
    setup: &Arc<Setup>,
    candidates: Vec<Candidate>,
    network: &Arc<Network>,
    ground: &HostStorage,
    authority: Arc<AuthorityCredentials>,
    public_url: Option<Url>,
    asking: Option<&Arc<AtomicBool>>,
) -> anyhow::Result<HostParts> {
    let sources = ProviderParts {
        public_url,
        ..ProviderParts::from_setup(setup, network, ground, authority)
    };
    let (credentials, problems) = wiring::provider(setup, sources)?;
    for problem in problems {
        tracing::warn!("{problem}");
    }
    let providers = credentials.clone();
    let egress = wiring::serving_egress(Arc::clone(network), credentials, ground)?;
    let slots = setup.config.server.slots;
    let limits: Limits = setup.config.limits.clone();
    let kv = Arc::clone(&ground.kv);
    let cache = Some(setup.cache_dir.clone());
    let sandbox = wiring::sandbox(limits, slots, cache, Arc::clone(&egress), kv)?;
    let answers = ApprovalMode::from_flags(setup.yes, asking);
    let plugins = wiring::serve_plugins(
        setup,
        candidates,
        &sandbox,
        egress,
        ground,
        network,
        (&answers, StartupTimeouts::SERVING),
    )
    .await?;
    Ok(HostParts {
        tools: plugins.tools,
        sandbox,
        providers,
        connections: plugins.connections,
        grants: plugins.grants,
        pending: plugins.pending,
        answers,
    })
}

fn banner(setup: &Setup, local: Option<SocketAddr>) {
    let Some(tenant) = &setup.dev_tenant else { return };
    let who = match local {
        Some(address) => format!("everybody who reaches {address} without a token"),
        None => "whoever writes to standard input".to_owned(),
    };
    let line = "=".repeat(78);
    // Not a log line: it is to be seen whatever RUST_LOG says.
    screen::write_stderr(&format!(
        "{line}\n  DEVELOPMENT MODE: {who} is tenant {tenant}.\n  Never use --dev-tenant (DEV_TENANT_NAME) where others can reach this machine.\n{line}"
    ));
}

/// One line on stdout, so that whoever started the host knows where it is and that it is ready.
fn announce(
    format: OutputFormat,
    url: &str,
    local: SocketAddr,
    metrics: Option<SocketAddr>,
) -> anyhow::Result<()> {
    match format {
        OutputFormat::Json => output::json_line(
            &serde_json::json!({ "ready": true, "url": url, "listen": local, "metrics": metrics }),
        ),
        OutputFormat::Text | OutputFormat::Table => {
            output::line(&format!("serving MCP at {url} (listening on {local})"))
        }
    }
}
