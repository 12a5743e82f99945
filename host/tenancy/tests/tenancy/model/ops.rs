//! What is done, and by whom.

use proptest::prelude::*;

pub(crate) const TENANTS: [&str; 3] = ["acme", "acme-eu", "globex"];
pub(crate) const USERS: [(&str, &str, &str); 3] = [
    ("olga", "OWNER", "acme"),
    ("adam", "ADMIN", "acme-eu"),
    ("root", "SUPERADMIN", "globex"),
];
pub(crate) const SESSIONS: usize = 8;

#[derive(Debug, Clone)]
pub(crate) enum Op {
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

pub(crate) fn op() -> impl Strategy<Value = Op> {
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
