use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::Peer;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::sync::{Mutex, MutexGuard};
use toolhost_identity::OwnerId;
use toolhost_tenancy::{SESSION_IDLE, SessionOwners};

use super::handlers::Handlers;
use super::null_peer::null_peer;
use super::open_streams::OpenStreams;
use super::pages::McpPageCache;
use super::questions::QuestionIds;
use super::session_usage::SessionUsage;
use crate::shared_state::SharedState;

/// Locks for sessions that are taken up again, so that two requests do not take up the same one.
const TURNS: usize = 64;

/// What `/mcp` keeps between requests.
pub(crate) struct McpState {
    pub(super) shared: Arc<SharedState>,
    pub(super) sessions: Arc<LocalSessionManager>,
    pub(super) owners: SessionOwners,
    pub(super) in_use: Arc<SessionUsage>,
    pub(super) written: Arc<OpenStreams>,
    pub(super) questions: Arc<QuestionIds>,
    turns: Box<[Mutex<()>]>,
    hasher: RandomState,
    pub(super) pages: Arc<McpPageCache>,
    pub(super) handlers: Handlers,
    nobody: OnceLock<Peer<RoleServer>>,
    pub(super) config: StreamableHttpServerConfig,
}

impl McpState {
    pub(crate) fn new(shared: Arc<SharedState>) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(Duration::from_secs(SESSION_IDLE));
        // Host and Origin were checked before every route, by stricter rules than the transport
        // has.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            // What keeps a quiet stream is written where it ends.
            .with_sse_keep_alive(None)
            // Each stream of a session says by itself where it begins.
            .with_sse_retry(None)
            .with_max_request_body_bytes(shared.config.max_body_bytes)
            .with_cancellation_token(shared.stop.clone());
        Self {
            sessions: Arc::new(sessions),
            owners: SessionOwners::new(),
            in_use: Arc::default(),
            written: Arc::default(),
            questions: Arc::new(QuestionIds::new(RandomState::new().hash_one(0))),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            pages: Arc::default(),
            handlers: Handlers::default(),
            nobody: OnceLock::new(),
            config,
            shared,
        }
    }

    /// Whether a session is in this process, and its handshake done. It has its owner here from
    /// that moment on, so the owner is looked at last.
    pub(super) async fn is_here(&self, id: &str, owner: &OwnerId) -> bool {
        self.sessions.sessions.read().await.contains_key(id) && self.owners.check(id, owner)
    }

    /// Waits until a session is here, or for the turn to take it up: it was begun on another host,
    /// or before a restart. Whoever has its turn lets go of it once the handshake is done again.
    pub(super) async fn lock_unless_present(
        &self,
        id: &str,
        owner: &OwnerId,
    ) -> Option<MutexGuard<'_, ()>> {
        if self.is_here(id, owner).await {
            return None;
        }
        let turn = self.lock_turn(id).await?;
        if self.is_here(id, owner).await {
            return None;
        }
        // One that was left in the middle of its handshake would answer nobody.
        self.owners.remove(id, owner);
        let _gone = self.sessions.close_session(&id.into()).await;
        Some(turn)
    }

    pub(super) async fn lock_turn(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        Some(self.turn_lock(id)?.lock().await)
    }

    /// The turn of a session where nobody has it.
    pub(super) fn free_turn_of(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        self.turn_lock(id)?.try_lock().ok()
    }

    fn turn_lock(&self, id: &str) -> Option<&Mutex<()>> {
        self.turns.get(self.hasher.hash_one(id) as usize % TURNS)
    }

    /// Who is behind a request without a session, as far as a handler could ask.
    pub(super) fn null_peer(&self) -> Peer<RoleServer> {
        self.nobody
            .get_or_init(|| null_peer(self.shared.stop.child_token()))
            .clone()
    }
}

impl fmt::Debug for McpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpState").finish_non_exhaustive()
    }
}
