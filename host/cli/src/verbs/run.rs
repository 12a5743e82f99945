use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio_util::sync::CancellationToken;
use toolhost_gateway::{Gateway, GatewayConfig, StdioCaller, admin, serve_metrics, serve_stdio};
use toolhost_net::Network;
use toolhost_policy::{Grant, Limits};
use toolhost_sandbox::Sandbox;
use toolhost_tenancy::AuthorityCredentials;
use toolhost_tools::Tools;
use url::Url;

use crate::args::{OutputFormat, RunArgs};
use crate::exit::Failure;
use crate::grants::{Answerer, Lock};
use crate::looking::{self, Looking};
use crate::missing::{self, Door};
use crate::setup::Setup;
use crate::wiring::adapters::Connections;
use crate::wiring::{self, Choosing, Doors, Ground, PluginFile, Providers, Sources};
use crate::{output, secret_ref};

/// Beside the arguments of a call a request has a frame, answers to what a tool asked, and a sealed state; and JSON may
/// escape every byte of a string.
const BODY_FRAME: u64 = 256 << 10;

/// Serves until a signal.
pub(super) fn run(args: &RunArgs, format: OutputFormat) -> anyhow::Result<()> {
    let started = Instant::now();
    let setup = Setup::gather(&args.wiring)?;
    if args.token.is_some() && setup.dev_tenant.is_some() {
        return Err(Failure::usage(
            "--token and --dev-tenant (or DEV_TENANT_NAME) say two different callers; keep one",
        )
        .into());
    }
    let doors = Doors {
        listen: args.listen.unwrap_or(setup.config.server.listen),
        metrics: args.metrics_listen.or(setup.config.server.metrics_listen),
    };
    if !args.stdio {
        wiring::check_addresses(&setup, doors)?;
    }
    let files = wiring::plugin_files(&setup)?;
    let door = if args.stdio {
        Door::One {
            token: args.token.is_some(),
        }
    } else {
        Door::Http
    };
    missing::check(
        &setup,
        &files.iter().map(|file| &file.manifest).collect::<Vec<_>>(),
        door,
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("door")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if args.stdio {
            over_stdio(args, &setup, files).await
        } else {
            over_http(&setup, files, doors, format, started).await
        }
    })
}

async fn over_http(
    setup: &Setup,
    files: Vec<PluginFile>,
    doors: Doors,
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
    let shutdown = wiring::shutdown_signal(Arc::clone(&asking))?;
    if let Some(listener) = metrics {
        let handle = PrometheusBuilder::new()
            .install_recorder()
            .context("metrics cannot be recorded")?;
        tokio::spawn(serve_metrics(listener, handle, shutdown.clone()));
    }
    let listeners: Vec<SocketAddr> = metrics_local.into_iter().chain([local]).collect();
    let network = wiring::network()?;
    let ground = Ground::open(setup).await?;
    let directory = wiring::directory(setup, ground.kept.as_ref(), &network)?;
    let kept = ground.kept.as_ref();
    let tenancy = wiring::tenancy(setup, &listeners, &network, Arc::clone(&directory), kept)?;
    let choosing = Choosing::of(setup, Arc::clone(&ground.store), directory, &network)?;
    let switching = choosing.switching(setup, Arc::clone(&ground.audit));
    let authority = choosing.credentials;
    banner(setup, Some(local));
    let public_url = wiring::public_url(setup, local)?;
    // Nothing of it is left to do when a signal comes during a long compilation.
    let served = tokio::select! {
        served = rooms(setup, files, Arc::clone(&network), &ground, authority, Some(public_url.clone()), Some(&asking)) => served?,
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
    let Rooms {
        tools,
        sandbox,
        providers,
        connections,
        grants,
    } = served;
    let sink = Arc::clone(&ground.audit);
    let logins = wiring::logins(setup, &network, ground.vault(), &public_url, sink)?;
    let swept = switching.keep_swept(Arc::clone(&ground.store), shutdown.clone());
    wiring::follow(&ground, &switching, &shutdown);
    let looking = Looking {
        tenancy: Arc::clone(&tenancy),
        network: Arc::clone(&network),
        connections,
        configured: setup.config.providers.clone(),
        providers,
        grants,
        described: setup.config.adapters.keys().cloned().collect(),
        vault: ground.vault().cloned(),
        logins: logins.clone(),
    };
    let mut gateway =
        Gateway::switching(tools, tenancy, switching, config).with_artifacts(sandbox.artifacts());
    if let Some(logins) = logins {
        gateway = gateway.with_logins(logins);
    }
    ground.started(setup).await?;
    if let Some(kept) = &ground.kept {
        kept.admin.serve_with(Arc::new(looking));
    }
    let admin = admin_socket(&ground, &shutdown)?;
    tracing::info!(url = %public_url, listen = %local, ready_ms = started.elapsed().as_millis(), "serving");
    announce(format, public_url.as_str(), local, metrics_local)?;
    gateway
        .serve(listener, shutdown, setup.config.server.grace)
        .await?;
    sandbox.drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    ground.stopped().await;
    tracing::info!("stopped");
    Ok(())
}

async fn over_stdio(args: &RunArgs, setup: &Setup, files: Vec<PluginFile>) -> anyhow::Result<()> {
    let shutdown = wiring::shutdown_signal(Arc::new(AtomicBool::new(false)))?;
    let network = wiring::network()?;
    let ground = Ground::open(setup).await?;
    let directory = wiring::directory(setup, ground.kept.as_ref(), &network)?;
    let kept = ground.kept.as_ref();
    let tenancy = wiring::tenancy(setup, &[], &network, Arc::clone(&directory), kept)?;
    banner(setup, None);
    let caller = match &args.token {
        None => StdioCaller::development(Arc::clone(&tenancy)),
        Some(text) => {
            let token = secret_ref::token(&secret_ref::parse("--token", text)?)?;
            StdioCaller::token(Arc::clone(&tenancy), token)
        }
    };
    let choosing = Choosing::of(setup, Arc::clone(&ground.store), directory, &network)?;
    let switching = choosing.switching(setup, Arc::clone(&ground.audit));
    wiring::follow(&ground, &switching, &shutdown);
    let swept = switching.keep_swept(Arc::clone(&ground.store), shutdown.clone());
    let caller = caller.with_switching(switching);
    // A token that is refused at every call is better refused now.
    caller
        .admit()
        .await
        .map_err(|error| Failure::auth(format!("--token: {error}")))?;
    let asked = Arc::clone(&network);
    let served = rooms(setup, files, network, &ground, choosing.credentials, None, None).await?;
    ground.started(setup).await?;
    if let Some(kept) = &ground.kept {
        kept.admin.serve_with(Arc::new(Looking {
            tenancy,
            network: asked,
            connections: served.connections,
            configured: setup.config.providers.clone(),
            providers: served.providers,
            grants: served.grants,
            described: setup.config.adapters.keys().cloned().collect(),
            vault: ground.vault().cloned(),
            logins: None,
        }));
    }
    let (tools, sandbox) = (served.tools, served.sandbox);
    let admin = admin_socket(&ground, &shutdown)?;
    let served = serve_stdio(tools, caller, env!("CARGO_PKG_VERSION"), shutdown.clone()).await;
    shutdown.cancel();
    sandbox.drained().await;
    if let Some(admin) = admin {
        admin.await?;
    }
    swept.await?;
    ground.stopped().await;
    Ok(served?)
}

/// The operator's door, where there is a data directory.
fn admin_socket(
    ground: &Ground,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(kept) = &ground.kept else {
        return Ok(None);
    };
    let listening = admin::listen(&kept.data_dir, Arc::clone(&kept.admin), shutdown.clone());
    kept.admin.watch(shutdown.clone());
    Ok(Some(listening.context("the admin socket cannot be opened")?))
}

/// What a host serves with.
struct Rooms {
    tools: Arc<Tools>,
    sandbox: Sandbox,
    providers: Providers,
    /// With the bases that documents propose and somebody has said yes to.
    connections: Connections,
    grants: Vec<Grant>,
}

/// There is no `asking` where stdin belongs to the protocol.
async fn rooms(
    setup: &Setup,
    files: Vec<PluginFile>,
    network: Arc<Network>,
    ground: &Ground,
    authority: Arc<AuthorityCredentials>,
    public_url: Option<Url>,
    asking: Option<&AtomicBool>,
) -> anyhow::Result<Rooms> {
    let sources = Sources {
        public_url,
        ..Sources::of(setup, &network, ground, authority)
    };
    let (credentials, problems) = wiring::provider(setup, sources)?;
    for problem in problems {
        tracing::warn!("{problem}");
    }
    let providers = credentials.clone();
    let manifests: Vec<_> = files.iter().map(|file| file.manifest.clone()).collect();
    let egress = wiring::serving_egress(Arc::clone(&network), credentials, ground)?;
    let slots = setup.config.server.slots;
    let limits: Limits = setup.config.limits.clone();
    let kv = Arc::clone(&ground.kv);
    let cache = Some(setup.cache_dir.clone());
    let sandbox = wiring::sandbox(limits, slots, cache, Arc::clone(&egress), kv)?;
    let mut person = |text: &str| {
        let set = |value| {
            asking
                .iter()
                .for_each(|asking| asking.store(value, Ordering::Release))
        };
        set(true);
        let answer = ask(text);
        set(false);
        answer
    };
    let answerer = if setup.yes {
        Answerer::Yes
    } else if asking.is_some() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Answerer::Person(&mut person)
    } else {
        Answerer::Nobody
    };
    let tools = wiring::serve_plugins(setup, files, &sandbox, egress, ground, &network, answerer).await?;
    // As it is by now: the yes to a base was just given.
    let connections = wiring::adapters::served(setup, &Lock::read(&setup.lock)?);
    Ok(Rooms {
        tools,
        sandbox,
        providers,
        grants: looking::grants(&manifests, &connections, &setup.config.limits)?,
        connections,
    })
}

/// Shows a text and takes one line; anything but a plain yes is a no.
pub(super) fn ask(text: &str) -> std::io::Result<bool> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{text}Grant this? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn banner(setup: &Setup, local: Option<SocketAddr>) {
    let Some(tenant) = &setup.dev_tenant else { return };
    let who = match local {
        Some(address) => format!("everybody who reaches {address} without a token"),
        None => "whoever writes to standard input".to_owned(),
    };
    let line = "=".repeat(78);
    // Not a log line: it is to be seen whatever RUST_LOG says.
    let _ = writeln!(
        std::io::stderr(),
        "{line}\n  DEVELOPMENT MODE: {who} is tenant {tenant}.\n  Never use --dev-tenant (DEV_TENANT_NAME) where others can reach this machine.\n{line}"
    );
}

/// One line on stdout, so that whoever started the host knows where it is and that it is ready.
fn announce(
    format: OutputFormat,
    url: &str,
    local: SocketAddr,
    metrics: Option<SocketAddr>,
) -> anyhow::Result<()> {
    match format {
        OutputFormat::Json => output::line(
            &serde_json::json!({ "ready": true, "url": url, "listen": local, "metrics": metrics })
                .to_string(),
        ),
        OutputFormat::Text | OutputFormat::Table => {
            output::line(&format!("serving MCP at {url} (listening on {local})"))
        }
    }
}
