//! Who gets a place at a transport, and whose place gives way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use toolhost_admission::{
    AdmissionRefusal, ClientConnections, ConnectionBounds, ConnectionId, MAX_STREAMS_PER_SESSION,
    RequestTicket,
};

type Door = ClientConnections<u8, u16, u32>;

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// A transport, and which of the connections that were opened are still open.
struct Clients {
    door: Door,
    open: HashSet<u32>,
    ids: Vec<ConnectionId>,
    turns: Vec<Option<RequestTicket>>,
}

impl Clients {
    fn new(all: usize) -> Self {
        Self {
            door: Door::new(ConnectionBounds::new(all)),
            open: HashSet::new(),
            ids: vec![],
            turns: vec![],
        }
    }

    fn connect(&mut self, from: u8) -> usize {
        let number = self.ids.len();
        let (id, closed) = self.door.admit(address(from), number as u32);
        self.open.insert(number as u32);
        self.ids.push(id);
        self.turns.push(None);
        self.close(closed);
        number
    }

    fn call(&mut self, connection: usize, tenant: u8, caller: u16) -> Result<(), AdmissionRefusal> {
        let (turn, closed) = self.door.serve(self.ids[connection], &tenant, &caller)?;
        self.turns[connection] = Some(turn);
        self.close(closed);
        Ok(())
    }

    fn stream(&mut self, connection: usize, session: &str) {
        if let Some(turn) = self.turns[connection] {
            let closed = self.door.stream(self.ids[connection], turn, Some(session));
            self.close(closed);
        }
    }

    fn rest(&mut self, connection: usize) {
        if let Some(turn) = self.turns[connection] {
            self.door.mark_idle(self.ids[connection], turn);
        }
    }

    fn close(&mut self, handle: Option<u32>) {
        if let Some(handle) = handle {
            assert!(self.open.remove(&handle), "{handle} was closed twice");
        }
    }

    fn is_open(&self, connection: usize) -> bool {
        self.open.contains(&(connection as u32))
    }
}

/// What tenants and strangers do.
#[derive(Debug, Clone)]
enum Act {
    Connect(u8),
    Call(usize, u8, u16),
    Stream(usize, u8),
    Rest(usize),
    Leave(usize),
}

/// Tenants 1 to 5 with callers of their own; tenant 0 is the one that must get in.
fn act() -> impl Strategy<Value = Act> {
    let connection = 0..400_usize;
    prop_oneof![
        6 => any::<u8>().prop_map(Act::Connect),
        6 => (connection.clone(), 1..6_u8, 0..4_u16)
            .prop_map(|(connection, tenant, caller)| Act::Call(connection, tenant, u16::from(tenant) * 8 + caller)),
        3 => (connection.clone(), any::<u8>()).prop_map(|(connection, session)| Act::Stream(connection, session)),
        1 => connection.clone().prop_map(Act::Rest),
        1 => connection.prop_map(Act::Leave),
    ]
}

fn play(clients: &mut Clients, acts: &[Act], spared: Option<usize>) {
    for act in acts {
        let known = |connection: usize| {
            let connection = connection % clients.ids.len().max(1);
            (connection < clients.ids.len() && Some(connection) != spared).then_some(connection)
        };
        match *act {
            Act::Connect(from) => drop(clients.connect(from)),
            Act::Call(connection, tenant, caller) => {
                if let Some(connection) = known(connection) {
                    let _refused = clients.call(connection, tenant, caller);
                }
            }
            Act::Stream(connection, session) => {
                if let Some(connection) = known(connection) {
                    clients.stream(connection, &format!("{connection}/{session}"));
                }
            }
            Act::Rest(connection) => {
                if let Some(connection) = known(connection) {
                    clients.rest(connection);
                }
            }
            Act::Leave(connection) => {
                if let Some(connection) = known(connection)
                    && clients.is_open(connection)
                {
                    clients.door.remove(clients.ids[connection]);
                    clients.open.remove(&(connection as u32));
                }
            }
        }
        assert!(clients.open.len() <= clients.door.bounds().all);
        assert_eq!(clients.open.len(), clients.door.open());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the others did, and whatever they do while the call runs.
    #[test]
    fn another_tenant_always_connects_and_calls(
        before in vec(act(), 0..400),
        between in vec(act(), 0..4),
        during in vec(act(), 0..400),
        from in any::<u8>(),
    ) {
        let mut clients = Clients::new(32);
        play(&mut clients, &before, None);
        let own = clients.connect(from);
        // Less than the places of newcomers pass between a connection and its first request.
        play(&mut clients, &between, Some(own));
        prop_assert!(clients.is_open(own), "the newest connection gave way");
        prop_assert_eq!(clients.call(own, 0, 0), Ok(()));
        play(&mut clients, &during, Some(own));
        prop_assert!(clients.is_open(own), "a call gave way to those who hold more");
    }
}

#[test]
fn idle_connections_of_one_address_give_way_to_each_other_and_not_those_of_others() {
    let mut clients = Clients::new(16);
    let (probe, known) = (clients.connect(1), clients.connect(2));
    clients.call(known, 1, 1).unwrap();
    clients.rest(known);
    for _ in 0..100 {
        clients.connect(66);
    }
    assert!(clients.is_open(probe) && clients.is_open(known));
    assert_eq!(clients.open.len(), 16);
    // Of many addresses, the oldest: the one that was verified stays longest.
    for from in 100..140 {
        clients.connect(from);
    }
    assert!(!clients.is_open(probe) && clients.is_open(known));
}

#[test]
fn one_address_may_have_every_place() {
    // All of a reverse proxy's connections come from one, whoever is behind them.
    let mut clients = Clients::new(16);
    for tenant in 0..12 {
        let connection = clients.connect(1);
        clients.call(connection, tenant, 0).unwrap();
    }
    for _ in 0..100 {
        let newest = clients.connect(1);
        assert!(clients.is_open(newest));
    }
    let connection = clients.connect(1);
    clients.call(connection, 99, 0).unwrap();
}

#[test]
fn streams_of_one_session_are_few_and_the_oldest_ends() {
    let mut clients = Clients::new(64);
    let streams: Vec<usize> = (0..10)
        .map(|_| {
            let connection = clients.connect(1);
            clients.call(connection, 1, 1).unwrap();
            clients.stream(connection, "s");
            connection
        })
        .collect();
    let open: Vec<bool> = streams
        .iter()
        .map(|stream| clients.is_open(*stream))
        .collect();
    let ended = streams.len() - MAX_STREAMS_PER_SESSION;
    assert!(
        open[..ended].iter().all(|open| !open) && open[ended..].iter().all(|open| *open),
        "{open:?}"
    );
    // Another caller's session of this name is another one.
    let other = clients.connect(1);
    clients.call(other, 1, 2).unwrap();
    clients.stream(other, "s");
    assert!(clients.is_open(streams[ended]));
}

#[test]
fn a_caller_with_all_it_may_have_gives_up_its_oldest_stream_and_no_call() {
    let mut clients = Clients::new(64);
    let bounds = clients.door.bounds();
    let first = clients.connect(1);
    clients.call(first, 1, 1).unwrap();
    clients.stream(first, "s");
    for _ in 1..bounds.per_caller {
        let connection = clients.connect(1);
        clients.call(connection, 1, 1).unwrap();
    }
    let more = clients.connect(1);
    clients.call(more, 1, 1).unwrap();
    assert!(!clients.is_open(first));
    let refused = clients.connect(1);
    assert_eq!(clients.call(refused, 1, 1), Err(AdmissionRefusal::Caller));
    // What was refused carries nothing, and may ask again.
    clients.rest(more);
    clients.call(refused, 1, 1).unwrap();
    // Other callers of the tenant are not refused for it.
    let other = clients.connect(1);
    clients.call(other, 1, 2).unwrap();
}

#[test]
fn an_answer_that_has_ended_frees_its_place_once() {
    let mut clients = Clients::new(8);
    let connection = clients.connect(1);
    clients.call(connection, 1, 1).unwrap();
    let stale = clients.turns[connection].unwrap();
    clients.rest(connection);
    clients.call(connection, 1, 1).unwrap();
    clients.door.mark_idle(clients.ids[connection], stale);
    clients.stream(connection, "s");
    clients.door.remove(clients.ids[connection]);
    assert_eq!(
        clients.call(connection, 1, 1),
        Err(AdmissionRefusal::Closed)
    );
    assert_eq!(clients.door.open(), 0);
}

#[test]
fn a_newcomer_takes_the_stream_of_whoever_has_most_and_no_call_nor_anothers_stream() {
    let mut clients = Clients::new(32);
    let mut begin = |tenant: u8, caller: u16, streams: bool| {
        let connection = clients.connect(tenant);
        clients.call(connection, tenant, caller).unwrap();
        if streams {
            clients.stream(connection, &format!("{caller}"));
        }
        connection
    };
    let others = begin(1, 2, true);
    for (tenant, caller, count) in [(1, 1, 5), (1, 2, 4), (1, 3, 5), (2, 9, 6), (2, 10, 2)] {
        for _ in 0..count {
            begin(tenant, caller, false);
        }
    }
    let stream = begin(1, 1, true);
    let newcomer = clients.connect(3);
    clients.call(newcomer, 3, 20).unwrap();
    assert!(!clients.is_open(stream) && clients.is_open(others));
    assert_eq!(clients.open.len(), 24);
}

#[test]
fn where_no_more_files_can_be_opened_an_idle_connection_goes_before_the_newest_strangers() {
    let mut clients = Clients::new(32);
    let idle = clients.connect(1);
    clients.call(idle, 1, 1).unwrap();
    clients.rest(idle);
    let strangers: Vec<_> = (10..16).map(|from| clients.connect(from)).collect();
    // Four of the six are an eighth of all.
    for gone in [strangers[0], strangers[1], idle, strangers[2]] {
        let closed = clients.door.close_one();
        clients.close(closed);
        assert!(!clients.is_open(gone), "{gone}");
    }
    assert_eq!(clients.open.len(), 3);
}
