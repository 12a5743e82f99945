//! Random interleavings of list, switch, reset, call, refresh and revoke, over 3 tenants, 3 users and 8 sessions.
//!
//! What holds after every step: the tenant of a call is its binding's at entry and within its caller's reach now; one
//! generation of one session is one tenant; no two switches made the same generation; a token of the authority is for the
//! binding's tenant and the binding's person; what a person may list does not change with a switch.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod support;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::Value;
use support::town::{FakePost, Town, answer, by, claims, id};
use toolhost_identity::{Binding, BindingError, Caller, Directory as _, Role, Tenant};
use toolhost_store::Store as _;
use toolhost_tenancy::{
    ChoiceError, ContextName, Presented, Reach, SessionId, Switch, SwitchError, Switched, To,
};

const TENANTS: [&str; 3] = ["acme", "acme-eu", "globex"];
const USERS: [(&str, &str, &str); 3] = [
    ("olga", "OWNER", "acme"),
    ("adam", "ADMIN", "acme-eu"),
    ("root", "SUPERADMIN", "globex"),
];
const SESSIONS: usize = 8;

#[derive(Debug, Clone)]
enum Op {
    List(usize),
    Switch(usize, usize),
    Context(usize, usize),
    Reset(usize),
    Call(usize),
    CallContext(usize),
    Refresh(usize),
    Suspend(usize),
    Resume(usize),
    Move(usize),
    /// One step of one of the futures under way.
    Step(usize),
    /// A caller that goes away.
    Drop(usize),
    /// What was handed on goes on.
    Yield,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (0..3usize).prop_map(Op::List),
        5 => (0..SESSIONS, 0..3usize).prop_map(|(session, tenant)| Op::Switch(session, tenant)),
        2 => (0..3usize, 0..3usize).prop_map(|(user, tenant)| Op::Context(user, tenant)),
        2 => (0..SESSIONS).prop_map(Op::Reset),
        6 => (0..SESSIONS).prop_map(Op::Call),
        2 => any::<usize>().prop_map(Op::CallContext),
        1 => (0..3usize).prop_map(Op::Refresh),
        1 => (0..3usize).prop_map(Op::Suspend),
        2 => (0..3usize).prop_map(Op::Resume),
        1 => (0..3usize).prop_map(Op::Move),
        40 => any::<usize>().prop_map(Op::Step),
        1 => any::<usize>().prop_map(Op::Drop),
        4 => Just(Op::Yield),
    ]
}

enum Done {
    Called(Result<Binding, ChoiceError>),
    Switched(Result<Switched, SwitchError>),
    Context(Result<(ContextName, Switched), SwitchError>),
}

struct Underway {
    user: usize,
    session: Option<usize>,
    future: Pin<Box<dyn Future<Output = Done>>>,
}

struct World {
    town: Town,
    reach: Reach,
    switch: Arc<Switch>,
    users: Vec<Presented>,
    sessions: Vec<SessionId>,
    contexts: Vec<(usize, ContextName)>,
    underway: Vec<Underway>,
    /// Of each session: what each generation is.
    generations: HashMap<(usize, u64), String>,
    made: HashMap<(usize, u64), ()>,
    listed: Vec<Vec<String>>,
}

static CALLS: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static SWITCHES: AtomicUsize = AtomicUsize::new(0);
static FENCED: AtomicUsize = AtomicUsize::new(0);

impl World {
    async fn new(reach: Reach) -> Self {
        let town = Town::new(reach).await;
        for gone in ["acme-eu-fr", "acme-us"] {
            town.directory.remove(&id(gone), &by()).await.unwrap();
        }
        let mut users = Vec::new();
        for user in 0..3 {
            users.push(Self::present(&town, user).await);
        }
        let mut sessions = Vec::new();
        for session in 0..SESSIONS {
            sessions.push(town.sessions.create(&users[session % 3].principal).await.unwrap());
        }
        let switch = match reach {
            Reach::Tree => town.switch(),
            Reach::Authority => {
                let (key, clock, directory) = (town.key.clone(), town.clock.clone(), town.directory.clone());
                // An application that looks at the same tree.
                let post = FakePost::pausing(2, move |request| {
                    let asked: Value = serde_json::from_slice(&request.body).unwrap();
                    let asked = asked["tenantId"].as_str().unwrap();
                    let token = request
                        .authorization
                        .as_ref()
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned();
                    let claims = claims(&token);
                    let role = Role::parse(claims["role"].as_str().unwrap()).unwrap();
                    let home = id(claims["tenantId"].as_str().unwrap());
                    if !directory.tree().reaches(role, Some(&home), &id(asked)) {
                        return answer(403, &Value::Null);
                    }
                    let request = toolhost_tenancy::dev::MintRequest {
                        tenant: Some(asked.into()),
                        ..toolhost_tenancy::dev::MintRequest::new(
                            support::ISSUER,
                            support::AUDIENCE,
                            claims["sub"].as_str().unwrap(),
                        )
                    };
                    let now = toolhost_tenancy::Clock::unix(clock.as_ref());
                    answer(
                        200,
                        &serde_json::json!({"access_token": key.mint(&request, now).unwrap()}),
                    )
                });
                town.switch_by(town.endpoint(post))
            }
        };
        let mut world = Self {
            switch: Arc::new(switch),
            reach,
            users,
            sessions,
            contexts: vec![],
            underway: vec![],
            generations: HashMap::new(),
            made: HashMap::new(),
            listed: vec![],
            town,
        };
        for session in 0..SESSIONS {
            let home = USERS[session % 3].2.to_owned();
            world.generations.insert((session, 0), home);
        }
        world.listed = (0..3).map(|user| world.list(user)).collect();
        world
    }

    async fn present(town: &Town, user: usize) -> Presented {
        let (subject, role, home) = USERS[user];
        let request = town.request(subject, role, Some(home));
        let now = toolhost_tenancy::Clock::unix(town.clock.as_ref());
        let token = town.key.mint(&request, now).unwrap();
        town.tenancy.admit_token(&token).await.unwrap().presented
    }

    /// What a person may switch to, by the tree as it is.
    fn list(&self, user: usize) -> Vec<String> {
        let tree = self.town.directory.tree();
        Caller::of(self.users[user].principal.clone(), &tree)
            .map(|caller| {
                caller
                    .reachable(&tree)
                    .iter()
                    .map(|tenant| tenant.id.to_string())
                    .collect()
            })
            .unwrap_or_default()
    }

    fn begin(&mut self, user: usize, session: Option<usize>, future: impl Future<Output = Done> + 'static) {
        self.underway.push(Underway {
            user,
            session,
            future: Box::pin(future),
        });
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::List(user) => assert_eq!(
                self.list(user),
                self.listed[user],
                "N5: only a revocation changes it"
            ),
            Op::Switch(session, tenant) => self.switch(session, To::Tenant(TENANTS[tenant])),
            Op::Reset(session) => self.switch(session, To::Home),
            Op::Context(user, tenant) => {
                let (switch, who) = (self.switch.clone(), self.users[user].clone());
                self.begin(user, None, async move {
                    Done::Context(switch.context(None, &who, To::Tenant(TENANTS[tenant])).await)
                });
            }
            Op::Call(session) => {
                let user = session % 3;
                let (sessions, id) = (self.town.sessions.clone(), self.sessions[session].clone());
                let principal = self.users[user].principal.clone();
                self.begin(user, Some(session), async move {
                    Done::Called(sessions.binding(&id, &principal).await)
                });
            }
            Op::CallContext(which) => {
                if self.contexts.is_empty() {
                    return;
                }
                let (user, name) = self.contexts[which % self.contexts.len()].clone();
                // Now and then by somebody else.
                let caller = if which % 5 == 0 { (user + 1) % 3 } else { user };
                let contexts = self.town.contexts.clone();
                let principal = self.users[caller].principal.clone();
                self.begin(caller, None, async move {
                    let result = contexts.binding(&name, &principal).await;
                    assert!(caller == user || result.is_err(), "T28: it is another's");
                    Done::Called(result)
                });
            }
            Op::Refresh(user) => {
                // So that uses are written down now and then.
                self.town.clock.pass(61);
                if !self.list(user).is_empty() {
                    self.users[user] = Self::present(&self.town, user).await;
                }
            }
            Op::Suspend(tenant) => {
                self.town
                    .directory
                    .suspend(&id(TENANTS[tenant]), &by())
                    .await
                    .unwrap();
                self.revoked();
            }
            Op::Resume(tenant) => {
                self.town
                    .directory
                    .resume(&id(TENANTS[tenant]), &by())
                    .await
                    .unwrap();
                self.revoked();
            }
            Op::Move(to) => {
                let parent = [None, Some(id("acme")), Some(id("globex"))][to].clone();
                self.town
                    .directory
                    .move_to(&id("acme-eu"), parent, &by())
                    .await
                    .unwrap();
                self.revoked();
            }
            Op::Step(which) => self.step(which),
            Op::Drop(which) => {
                if !self.underway.is_empty() {
                    let which = which % self.underway.len();
                    drop(self.underway.remove(which));
                }
            }
            Op::Yield => tokio::task::yield_now().await,
        }
    }

    fn revoked(&mut self) {
        self.listed = (0..3).map(|user| self.list(user)).collect();
    }

    fn switch(&mut self, session: usize, to: To<'static>) {
        let user = session % 3;
        let (switch, who) = (self.switch.clone(), self.users[user].clone());
        let id = self.sessions[session].clone();
        self.begin(user, Some(session), async move {
            Done::Switched(switch.session(&id, &who, to).await)
        });
    }

    fn step(&mut self, which: usize) {
        if self.underway.is_empty() {
            return;
        }
        let which = which % self.underway.len();
        let polled = self.underway[which]
            .future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = polled {
            let Underway { user, session, .. } = self.underway.remove(which);
            self.done(user, session, done);
        }
    }

    fn done(&mut self, user: usize, session: Option<usize>, done: Done) {
        match done {
            Done::Called(Ok(binding)) => {
                CALLS.fetch_add(1, Ordering::Relaxed);
                self.called(user, session, &binding);
            }
            Done::Called(Err(error)) => {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                let expected = matches!(
                    error,
                    ChoiceError::Binding(BindingError::TenantUnavailable) | ChoiceError::Unknown
                );
                assert!(expected, "{error}");
            }
            Done::Switched(Ok(switched)) => {
                SWITCHES.fetch_add(1, Ordering::Relaxed);
                let session = session.unwrap();
                let key = (session, switched.generation);
                assert!(self.made.insert(key, ()).is_none(), "N9: one switch a generation");
                self.agrees(session, switched.generation, switched.active.as_str());
            }
            Done::Context(Ok((name, _))) => self.contexts.push((user, name)),
            Done::Switched(Err(error)) | Done::Context(Err(error)) => {
                if error == SwitchError::Choice(ChoiceError::Fenced) {
                    FENCED.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn called(&mut self, user: usize, session: Option<usize>, binding: &Binding) {
        let (subject, role, home) = USERS[user];
        assert_eq!(binding.principal().subject(), subject);
        let tree = self.town.directory.tree();
        let (role, home) = (Role::parse(role).unwrap(), id(home));
        assert!(tree.is_available(binding.tenant()) && tree.is_available(&home));
        if self.reach == Reach::Tree {
            assert!(
                tree.reaches(role, Some(&home), binding.tenant()),
                "within its reach now"
            );
        }
        if let Some(session) = session {
            self.agrees(session, binding.generation(), binding.tenant().as_str());
        }
        match self.town.rooms.tokens.credential(binding) {
            Ok(credential) => {
                let token = claims(std::str::from_utf8(credential.secret.expose()).unwrap());
                assert_eq!(
                    token["tenantId"],
                    binding.tenant().as_str(),
                    "its credential is its tenant's"
                );
                assert_eq!(token["sub"], subject);
            }
            Err(_) => assert!(self.reach == Reach::Tree || *binding.tenant() == home),
        }
    }

    fn agrees(&mut self, session: usize, generation: u64, tenant: &str) {
        let known = self
            .generations
            .entry((session, generation))
            .or_insert_with(|| tenant.to_owned());
        assert_eq!(
            known, tenant,
            "generation {generation} of session {session} is one tenant"
        );
    }

    /// Everything ends, everything is served again, and memory and store say the same.
    async fn end(mut self) {
        let mut turn = 0;
        while !self.underway.is_empty() {
            // In turn: one may wait for what another has in hand.
            self.step(turn);
            turn += 1;
            tokio::task::yield_now().await;
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        for tenant in TENANTS {
            self.town.directory.resume(&id(tenant), &by()).await.unwrap();
        }
        let (restarted, _) = self.town.neighbour(None);
        for session in 0..SESSIONS {
            let user = session % 3;
            let principal = self.users[user].principal.clone();
            let here = self
                .town
                .sessions
                .show(&self.sessions[session], &principal)
                .await
                .unwrap();
            let there = restarted.show(&self.sessions[session], &principal).await.unwrap();
            assert_eq!((&here.active, here.generation), (&there.active, there.generation));
            let active = here.active.unwrap();
            self.agrees(session, here.generation, active.as_str());
            let last = self
                .made
                .keys()
                .filter(|(of, _)| *of == session)
                .map(|(_, made)| *made)
                .max();
            assert!(
                here.generation >= last.unwrap_or(0),
                "no switch that was made is lost"
            );
        }
    }
}

fn run(reach: Reach, ops: Vec<Op>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(reach).await;
        for op in ops {
            world.apply(op).await;
        }
        world.end().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn n16_no_interleaving_crosses_tenants_by_the_tree(ops in prop::collection::vec(op(), 40..250)) {
        run(Reach::Tree, ops);
    }

    #[test]
    fn n16_no_interleaving_crosses_tenants_by_a_remote_authority(ops in prop::collection::vec(op(), 40..250)) {
        run(Reach::Authority, ops);
    }
}

#[test]
fn the_model_meets_what_it_is_about() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for reach in [Reach::Tree, Reach::Authority] {
        for _ in 0..24 {
            let ops = prop::collection::vec(op(), 250)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            run(reach, ops);
        }
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let met = [count(&CALLS), count(&REFUSED), count(&SWITCHES), count(&FENCED)];
    println!("calls, refused calls, switches, fenced switches: {met:?}");
    assert!(met.iter().all(|count| *count > 10), "{met:?}");
}

#[tokio::test]
async fn a_tenant_that_is_removed_and_added_again_has_none_of_the_old_sessions() {
    let town = Town::new(Reach::Tree).await;
    let root = town.who("root", "SUPERADMIN", Some("globex")).await;
    let session = town.sessions.create(&root.principal).await.unwrap();
    town.directory.remove(&id("globex"), &by()).await.unwrap();
    town.directory
        .add(Tenant::root(id("globex")), &by())
        .await
        .unwrap();
    town.store.create(&support::town::space("globex")).await.unwrap();
    let ended = town.sessions.binding(&session, &root.principal).await;
    assert_eq!(ended.unwrap_err(), ChoiceError::Unknown);
}
