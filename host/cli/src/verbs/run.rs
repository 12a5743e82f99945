use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use toolhost_gateway::{
    Gateway, GatewayConfig, StdioCaller, record_metrics, serve_metrics, serve_stdio,
};

use crate::args::{OutputFormat, RunArgs};
use crate::exit::CliError;
use crate::plugins::{self, ApprovalMode, Candidate};
use crate::requirements::{self, CallerSource};
use crate::setup::Setup;
use crate::wiring::{self, HostBuilder, HostStorage, ListenAddresses, LoadPurpose};
use crate::{open_files, output, screen, secret_ref};

/// Beside the arguments of a call a request has a frame, answers to what a tool asked, and a sealed
/// state; and JSON may escape every byte of a string.
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
    let addresses = ListenAddresses {
        listen: args.listen.unwrap_or(setup.config.server.listen),
        metrics: args.metrics_listen.or(setup.config.server.metrics_listen),
    };
    if !args.stdio {
        wiring::check_addresses(&setup, addresses)?;
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
            over_http(&setup, candidates, addresses, format, started).await
        }
    })
}

async fn over_http(
    setup: &Arc<Setup>,
    candidates: Vec<Candidate>,
    addresses: ListenAddresses,
    format: OutputFormat,
    started: Instant,
) -> anyhow::Result<()> {
    // Before the first slow step: a port that is taken is said at once.
    let listener = wiring::bind("--listen", addresses.listen).await?;
    let local = listener.local_addr()?;
    let metrics = match addresses.metrics {
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
        wiring::shutdown_signal(
            Arc::clone(&asking),
            server.drain.saturating_add(server.grace),
        )?
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
    let builder = HostBuilder::open(setup, &listeners).await?;
    banner(setup, Some(local));
    let public_url = wiring::public_url(setup, local)?;
    let approval = ApprovalMode::from_flags(setup.yes, Some(&asking));
    let loading = builder.with_public_url(public_url.clone()).load(
        setup,
        candidates,
        LoadPurpose::Serving,
        &approval,
    );
    // Nothing of it is left to do when a signal comes during a long compilation.
    let host = tokio::select! {
        host = loading => host?,
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
    let (storage, switching) = (&host.base.storage, &host.base.switching);
    let (kept, sink) = (storage.kept.as_ref(), Arc::clone(&storage.audit));
    let logins = wiring::logins(setup, &host.base.network, kept, &public_url, sink)?;
    let swept = switching.keep_swept(Arc::clone(&storage.store), shutdown.clone());
    wiring::follow(storage, switching, &shutdown);
    let diagnosis = host.diagnosis(setup, logins.clone());
    let tenancy = Arc::clone(&host.base.tenancy);
    let mut gateway = Gateway::new(host.tools.clone(), tenancy, Arc::clone(switching), config)
        .with_artifacts(host.sandbox.artifacts())
        .with_connections(open_files::connections())
        .with_drain(setup.config.server.drain);
    if let Some(logins) = logins {
        gateway = gateway.with_logins(logins);
    }
    let loading = tokio::spawn(host.pending.finish(approval, shutdown.clone()));
    storage.record_start(setup).await?;
    if let Some(kept) = kept {
        let store = Arc::clone(&storage.store);
        wiring::watch_writable(
            gateway.readiness(),
            kept.data_dir.clone(),
            store,
            shutdown.clone(),
        );
        kept.admin.set_operations(Arc::new(diagnosis));
    }
    let admin = admin_socket(storage, &shutdown)?;
    tracing::info!(url = %public_url, listen = %local, ready_ms = started.elapsed().as_millis(), "serving");
    announce(format, public_url.as_str(), local, metrics_local)?;
    gateway
        .serve(listener, shutdown, setup.config.server.grace)
        .await?;
    host.sandbox.wait_until_drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    loading.await?;
    storage.record_stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn over_stdio(
    args: &RunArgs,
    setup: &Arc<Setup>,
    candidates: Vec<Candidate>,
) -> anyhow::Result<()> {
    let shutdown =
        wiring::shutdown_signal(Arc::new(AtomicBool::new(false)), setup.config.server.grace)?;
    let builder = HostBuilder::open(setup, &[]).await?;
    banner(setup, None);
    let token = args.token.as_ref();
    let token = token.map(|text| secret_ref::token(&secret_ref::parse("--token", text)?));
    let (tenancy, switching) = (Arc::clone(&builder.tenancy), Arc::clone(&builder.switching));
    wiring::follow(&builder.storage, &switching, &shutdown);
    let swept = switching.keep_swept(Arc::clone(&builder.storage.store), shutdown.clone());
    let caller = match token.transpose()? {
        None => StdioCaller::development(tenancy, switching),
        Some(token) => StdioCaller::token(tenancy, switching, token),
    };
    // A token that is refused at every call is better refused now.
    caller
        .admit()
        .await
        .map_err(|error| CliError::auth(format!("--token: {error}")))?;
    // Standard input belongs to the protocol, so nobody is asked there.
    let approval = ApprovalMode::from_flags(setup.yes, None);
    let host = builder
        .load(setup, candidates, LoadPurpose::Serving, &approval)
        .await?;
    let storage = &host.base.storage;
    storage.record_start(setup).await?;
    if let Some(kept) = &storage.kept {
        kept.admin
            .set_operations(Arc::new(host.diagnosis(setup, None)));
    }
    let loading = tokio::spawn(host.pending.finish(approval, shutdown.clone()));
    let admin = admin_socket(storage, &shutdown)?;
    let served = serve_stdio(
        host.tools,
        caller,
        env!("CARGO_PKG_VERSION"),
        shutdown.clone(),
    )
    .await;
    shutdown.cancel();
    host.sandbox.wait_until_drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    loading.await?;
    storage.record_stop().await;
    Ok(served?)
}

/// The operator's door, where there is a data directory.
fn admin_socket(
    storage: &HostStorage,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(kept) = &storage.kept else {
        return Ok(None);
    };
    let listening =
        toolhost_admin::listen(&kept.data_dir, Arc::clone(&kept.admin), shutdown.clone());
    kept.admin.watch_quarantines(shutdown.clone());
    Ok(Some(
        listening.context("the admin socket cannot be opened")?,
    ))
}

fn banner(setup: &Setup, local: Option<SocketAddr>) {
    let Some(tenant) = &setup.dev_tenant else {
        return;
    };
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
