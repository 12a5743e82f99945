//! Three people with eight sessions, and what they have under way.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::Value;
use toolhost_identity::{Binding, Caller, Directory as _, Role};
use toolhost_tenancy::{
    ChoiceError, ContextName, Reach, SessionId, Switch, SwitchError, SwitchOutcome, SwitchTarget,
    VerifiedCaller,
};

use crate::model::ops::{Op, SESSIONS, TENANTS, USERS};
use crate::model::place::{Pause, Place};
use crate::support;
use crate::support::town::{FakePost, SlowStore, Town, answer, by, claims, id};

pub(crate) enum Done {
    Called(Result<Binding, ChoiceError>),
    Switched(Result<SwitchOutcome, SwitchError>),
    Context(Result<(ContextName, SwitchOutcome), SwitchError>),
}

pub(crate) struct Underway {
    pub(crate) user: usize,
    pub(crate) session: Option<usize>,
    pub(crate) future: Pin<Box<dyn Future<Output = Done>>>,
}

pub(crate) struct World {
    pub(crate) town: Town,
    pub(crate) reach: Reach,
    switch: Arc<Switch>,
    pub(crate) users: Vec<VerifiedCaller>,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) contexts: Vec<(usize, ContextName)>,
    pub(crate) underway: Vec<Underway>,
    /// Of each session: what each generation is.
    pub(crate) generations: HashMap<(usize, u64), String>,
    pub(crate) made: HashMap<(usize, u64), ()>,
    listed: Vec<Vec<String>>,
    pub(crate) pause: Pause,
}

impl World {
    pub(crate) async fn over(place: &Place, reach: Reach) -> Self {
        let town = Town::over(reach, SlowStore::over(place.store().await)).await;
        for gone in ["acme-eu-fr", "acme-us"] {
            town.directory.remove(&id(gone), &by()).await.unwrap();
        }
        let mut users = Vec::new();
        for user in 0..3 {
            users.push(Self::present(&town, user).await);
        }
        let mut sessions = Vec::new();
        for session in 0..SESSIONS {
            sessions.push(
                town.sessions
                    .create(&users[session % 3].principal)
                    .await
                    .unwrap(),
            );
        }
        let switch = match reach {
            Reach::Tree => town.switch(),
            Reach::Authority => {
                let (key, clock, directory) =
                    (town.key.clone(), town.clock.clone(), town.directory.clone());
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
            pause: place.pause(),
            town,
        };
        for session in 0..SESSIONS {
            let home = USERS[session % 3].2.to_owned();
            world.generations.insert((session, 0), home);
        }
        world.listed = (0..3).map(|user| world.list(user)).collect();
        world
    }

    async fn present(town: &Town, user: usize) -> VerifiedCaller {
        let (subject, role, home) = USERS[user];
        let request = town.request(subject, role, Some(home));
        let now = toolhost_tenancy::Clock::unix(town.clock.as_ref());
        let token = town.key.mint(&request, now).unwrap();
        town.tenancy.admit_token(&token).await.unwrap().presented
    }

    /// What a person may switch to, by the tree as it is.
    fn list(&self, user: usize) -> Vec<String> {
        let tree = self.town.directory.tree();
        Caller::from_principal(self.users[user].principal.clone(), &tree)
            .map(|caller| {
                caller
                    .reachable(&tree)
                    .iter()
                    .map(|tenant| tenant.id.to_string())
                    .collect()
            })
            .unwrap_or_default()
    }

    fn begin(
        &mut self,
        user: usize,
        session: Option<usize>,
        future: impl Future<Output = Done> + 'static,
    ) {
        self.underway.push(Underway {
            user,
            session,
            future: Box::pin(future),
        });
    }

    pub(crate) async fn apply(&mut self, op: Op) {
        match op {
            Op::List(user) => assert_eq!(
                self.list(user),
                self.listed[user],
                "N5: only a revocation changes it"
            ),
            Op::Switch(session, tenant) => {
                self.switch(session, SwitchTarget::Tenant(TENANTS[tenant]))
            }
            Op::Reset(session) => self.switch(session, SwitchTarget::Home),
            Op::Context(user, tenant) => {
                let (switch, who) = (self.switch.clone(), self.users[user].clone());
                self.begin(user, None, async move {
                    Done::Context(
                        switch
                            .context(None, &who, SwitchTarget::Tenant(TENANTS[tenant]))
                            .await,
                    )
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
            Op::Yield => self.pause.await_others().await,
        }
    }

    fn revoked(&mut self) {
        self.listed = (0..3).map(|user| self.list(user)).collect();
    }

    fn switch(&mut self, session: usize, to: SwitchTarget<'static>) {
        let user = session % 3;
        let (switch, who) = (self.switch.clone(), self.users[user].clone());
        let id = self.sessions[session].clone();
        self.begin(user, Some(session), async move {
            Done::Switched(switch.session(&id, &who, to).await)
        });
    }

    pub(crate) fn step(&mut self, which: usize) {
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
}
