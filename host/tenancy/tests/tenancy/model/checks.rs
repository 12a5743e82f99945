//! What holds after every step, and at the end.

use std::sync::atomic::{AtomicUsize, Ordering};

use toolhost_identity::{Binding, BindingError, Directory as _, Role};
use toolhost_tenancy::{ChoiceError, Reach, SwitchError};

use crate::model::ops::{SESSIONS, TENANTS, USERS};
use crate::model::world::{Done, World};
use crate::support::town::{by, claims, id};

pub(crate) static CALLS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static REFUSED: AtomicUsize = AtomicUsize::new(0);
pub(crate) static SWITCHES: AtomicUsize = AtomicUsize::new(0);
pub(crate) static FENCED: AtomicUsize = AtomicUsize::new(0);

impl World {
    pub(crate) fn done(&mut self, user: usize, session: Option<usize>, done: Done) {
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
                assert!(
                    self.made.insert(key, ()).is_none(),
                    "N9: one switch a generation"
                );
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
        match self.town.deps.tokens.credential(binding) {
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
    pub(crate) async fn end(mut self) {
        let mut turn = 0;
        while !self.underway.is_empty() {
            // In turn: one may wait for what another has in hand.
            self.step(turn);
            turn += 1;
            self.pause.await_others().await;
        }
        // A caller that went away may have left a switch to itself.
        for _ in 0..200 {
            self.pause.await_others().await;
        }
        for tenant in TENANTS {
            self.town
                .directory
                .resume(&id(tenant), &by())
                .await
                .unwrap();
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
            let there = restarted
                .show(&self.sessions[session], &principal)
                .await
                .unwrap();
            assert_eq!(
                (&here.active, here.generation),
                (&there.active, there.generation)
            );
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
