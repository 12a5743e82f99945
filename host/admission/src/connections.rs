use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{AddressGroup, EvictionVictim, Shares};

/// Streams that one session may have open. A client has one, and for a moment two when it comes
/// back before the host has seen that the first is gone.
pub const MAX_STREAMS_PER_SESSION: usize = 4;

/// One of so many connections is spared when connections of nobody give way, if it is among the
/// newest: hundreds, so that a flood of thousands of connections a second leaves each a tenth of a
/// second for its request.
const SPARED: usize = 8;

/// A client's connection, as long as it has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// One request on a connection, from its verification to the end of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestTicket(u64);

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// Open connections.
    pub all: usize,
    /// Those of them that may carry a verified request at once. The rest is for newcomers, whoever
    /// they are, and for what needs no token, as `/health` does.
    pub serving: usize,
    /// Verified requests of one tenant at once. Never all, so that another tenant's first request
    /// mostly takes no place from anybody.
    pub per_tenant: usize,
    /// Verified requests of one caller at once.
    pub per_caller: usize,
}

impl ConnectionBounds {
    /// The bounds where so many connections may be open; at least eight are.
    #[must_use]
    pub fn new(all: usize) -> Self {
        let all = all.max(8);
        let serving = all - all / 4;
        Self {
            all,
            serving,
            per_tenant: serving - serving / 4,
            per_caller: (serving / 4).max(1),
        }
    }
}

/// Why a verified request gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionRefusal {
    /// The connection itself has given way meanwhile.
    Closed,
    /// The caller has all that one caller may have, and no stream of its own to give up.
    Caller,
    /// The caller's tenant has all that one tenant may have.
    Tenant,
    /// Nobody has more than this tenant and this caller would.
    All,
}

/// The client connections of a transport, and what each is used for. `H` closes a connection, `T`
/// is a tenant and `C` a caller.
///
/// A connection that nobody's token was ever seen on gives way first: that of the address with the
/// most of them, and there the one that has waited longest. The newest, an eighth of all, are
/// spared, so that a client has the time to send its request whoever shares its address. Then come
/// connections that are idle, the longest idle first. One that carries a verified request gives way
/// only to another verified request, by the rule of [`Shares::find_victim`], and streams before
/// calls.
///
/// An address is never refused: behind a reverse proxy all connections come from one, and they
/// carry verified requests or last for one request.
#[derive(Debug)]
pub struct ClientConnections<T, C, H> {
    bounds: ConnectionBounds,
    table: Mutex<ConnectionRegistry<T, C, H>>,
}

#[derive(Debug)]
struct ConnectionRegistry<T, C, H> {
    by_id: HashMap<ConnectionId, ClientConnection<T, C, H>>,
    /// By their turn, so that the first is the oldest.
    strangers: BTreeMap<RequestTicket, ConnectionId>,
    by_address: HashMap<AddressGroup, BTreeMap<RequestTicket, ConnectionId>>,
    idle: BTreeMap<RequestTicket, ConnectionId>,
    shares: Shares<T, C>,
    turns: u64,
}

#[derive(Debug)]
struct ClientConnection<T, C, H> {
    handle: H,
    address: AddressGroup,
    turn: RequestTicket,
    state: ConnectionState<T, C>,
}

#[derive(Debug, Clone)]
enum ConnectionState<T, C> {
    /// No request on it was ever verified.
    Stranger,
    /// One was, and none is under way.
    Idle,
    Serving(Holder<T, C>),
}

#[derive(Debug, Clone)]
struct Holder<T, C> {
    tenant: T,
    caller: C,
    is_stream: bool,
    session: Option<Box<str>>,
}

impl<T: Clone + Eq + Hash, C: Clone + Eq + Hash, H> ClientConnections<T, C, H> {
    /// A transport without connections.
    #[must_use]
    pub fn new(bounds: ConnectionBounds) -> Self {
        Self {
            bounds,
            table: Mutex::new(ConnectionRegistry {
                by_id: HashMap::new(),
                strangers: BTreeMap::new(),
                by_address: HashMap::new(),
                idle: BTreeMap::new(),
                shares: Shares::default(),
                turns: 0,
            }),
        }
    }

    /// The bounds.
    #[must_use]
    pub fn bounds(&self) -> ConnectionBounds {
        self.bounds
    }

    /// Open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        self.table().by_id.len()
    }

    /// A place for a connection that was just opened, and the connection that gives way to it.
    pub fn admit(&self, address: IpAddr, handle: H) -> (ConnectionId, Option<H>) {
        let mut table = self.table();
        let gives_way = if table.by_id.len() < self.bounds.all {
            None
        } else {
            table.close_waiting(self.bounds.all / SPARED)
        };
        let turn = table.next_turn();
        let (id, address) = (ConnectionId(turn.0), AddressGroup::from(address));
        table.by_id.insert(
            id,
            ClientConnection {
                handle,
                address,
                turn,
                state: ConnectionState::Stranger,
            },
        );
        table.strangers.insert(turn, id);
        table
            .by_address
            .entry(address)
            .or_default()
            .insert(turn, id);
        (id, gives_way)
    }

    /// The connection that gives way where the process can open no more files.
    pub fn close_one(&self) -> Option<H> {
        self.table().close_waiting(self.bounds.all / SPARED)
    }

    /// A request of a verified caller begins on a connection. Its turn, and the connection that
    /// gives way to it.
    ///
    /// # Errors
    /// [`AdmissionRefusal`].
    pub fn serve(
        &self,
        id: ConnectionId,
        tenant: &T,
        caller: &C,
    ) -> Result<(RequestTicket, Option<H>), AdmissionRefusal> {
        let mut table = self.table();
        if !table.by_id.contains_key(&id) {
            return Err(AdmissionRefusal::Closed);
        }
        table.set(id, ConnectionState::Idle);
        let gives_way = self.find_victim(&table.shares, tenant, caller)?;
        let gives_way = match gives_way {
            None => None,
            Some((whose, none)) => Some(table.close_serving(&whose, tenant, caller).ok_or(none)?),
        };
        let holder = Holder {
            tenant: tenant.clone(),
            caller: caller.clone(),
            is_stream: false,
            session: None,
        };
        let turn = table
            .set(id, ConnectionState::Serving(holder))
            .ok_or(AdmissionRefusal::Closed)?;
        Ok((turn, gives_way))
    }

    /// The answer of a request is a stream, which may last, of this session. The connection that
    /// gives way: the oldest stream of a session that has too many.
    pub fn stream(
        &self,
        id: ConnectionId,
        turn: RequestTicket,
        session: Option<&str>,
    ) -> Option<H> {
        let mut table = self.table();
        let connection = table
            .by_id
            .get_mut(&id)
            .filter(|known| known.turn == turn)?;
        let ConnectionState::Serving(holder) = &mut connection.state else {
            return None;
        };
        holder.is_stream = true;
        let session = session?;
        holder.session = Some(session.into());
        let caller = holder.caller.clone();
        let of_session = |holder: &Holder<T, C>| {
            holder.caller == caller && holder.session.as_deref() == Some(session)
        };
        let streams = table
            .serving_connections()
            .filter(|(_, _, holder)| of_session(holder));
        let (count, oldest) = streams.fold((0, None), |(count, oldest), (id, turn, _)| {
            let this = Some((turn, id));
            (
                count + 1,
                if oldest.is_none() {
                    this
                } else {
                    oldest.min(this)
                },
            )
        });
        match oldest {
            Some((_, oldest)) if count > MAX_STREAMS_PER_SESSION => table.remove(oldest),
            _ => None,
        }
    }

    /// The answer of a request has ended. The connection may bring another one.
    pub fn mark_idle(&self, id: ConnectionId, turn: RequestTicket) {
        let mut table = self.table();
        if table.by_id.get(&id).is_some_and(|known| known.turn == turn) {
            table.set(id, ConnectionState::Idle);
        }
    }

    /// A connection is closed. Of one that has given way, nothing changes.
    pub fn remove(&self, id: ConnectionId) {
        drop(self.table().remove(id));
    }

    /// Whose place a request takes, and what it is told where there is none. `None`: there is room.
    #[expect(
        clippy::type_complexity,
        reason = "the two parts are taken apart by the one caller"
    )]
    fn find_victim(
        &self,
        shares: &Shares<T, C>,
        tenant: &T,
        caller: &C,
    ) -> Result<Option<(EvictionVictim<T, C>, AdmissionRefusal)>, AdmissionRefusal> {
        let (whose, none) = if shares.of_caller(tenant, caller) >= self.bounds.per_caller {
            (Some(EvictionVictim::Own), AdmissionRefusal::Caller)
        } else if shares.of_tenant(tenant) >= self.bounds.per_tenant {
            (
                shares.find_victim_in_tenant(tenant, caller),
                AdmissionRefusal::Tenant,
            )
        } else if shares.total() >= self.bounds.serving {
            (shares.find_victim(tenant, caller), AdmissionRefusal::All)
        } else {
            return Ok(None);
        };
        Ok(Some((whose.ok_or(none)?, none)))
    }

    /// Each change is made whole or not at all: nothing in one panics.
    fn table(&self) -> MutexGuard<'_, ConnectionRegistry<T, C, H>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Eq + Hash, C: Clone + Eq + Hash, H> ConnectionRegistry<T, C, H> {
    fn next_turn(&mut self) -> RequestTicket {
        self.turns += 1;
        RequestTicket(self.turns)
    }

    /// Those that carry a verified request.
    fn serving_connections(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, RequestTicket, &Holder<T, C>)> {
        self.by_id
            .iter()
            .filter_map(|(id, known)| match &known.state {
                ConnectionState::Serving(holder) => Some((*id, known.turn, holder)),
                ConnectionState::Stranger | ConnectionState::Idle => None,
            })
    }

    /// Another state of a connection, which begins a turn.
    fn set(&mut self, id: ConnectionId, state: ConnectionState<T, C>) -> Option<RequestTicket> {
        let turn = self.next_turn();
        let connection = self.by_id.get_mut(&id)?;
        let (before, address) = (connection.turn, connection.address);
        let old = std::mem::replace(&mut connection.state, state.clone());
        connection.turn = turn;
        self.forget(before, address, &old);
        match state {
            ConnectionState::Stranger => {}
            ConnectionState::Idle => drop(self.idle.insert(turn, id)),
            ConnectionState::Serving(holder) => self.shares.add(&holder.tenant, &holder.caller),
        }
        Some(turn)
    }

    /// Takes a connection's state out of what is counted.
    fn forget(
        &mut self,
        turn: RequestTicket,
        address: AddressGroup,
        state: &ConnectionState<T, C>,
    ) {
        match state {
            ConnectionState::Stranger => {
                self.strangers.remove(&turn);
                if let Some(of_address) = self.by_address.get_mut(&address) {
                    of_address.remove(&turn);
                    if of_address.is_empty() {
                        self.by_address.remove(&address);
                    }
                }
            }
            ConnectionState::Idle => drop(self.idle.remove(&turn)),
            ConnectionState::Serving(holder) => self.shares.remove(&holder.tenant, &holder.caller),
        }
    }

    fn remove(&mut self, id: ConnectionId) -> Option<H> {
        let connection = self.by_id.remove(&id)?;
        self.forget(connection.turn, connection.address, &connection.state);
        Some(connection.handle)
    }

    /// Closes a connection that carries no verified request, and none of the newest `spared`
    /// strangers if there is another.
    fn close_waiting(&mut self, spared: usize) -> Option<H> {
        let newest_to_go = self.strangers.keys().rev().nth(spared).copied();
        let may_go = |(turn, _): &(&RequestTicket, &ConnectionId)| {
            newest_to_go.is_some_and(|newest| **turn <= newest)
        };
        let oldest = |of_address: &BTreeMap<RequestTicket, ConnectionId>| {
            Some(Reverse(*of_address.first_key_value()?.0))
        };
        let greediest = self
            .by_address
            .values()
            .max_by_key(|of_address| (of_address.len(), oldest(of_address)));
        let id = greediest
            .and_then(BTreeMap::first_key_value)
            .filter(may_go)
            .or_else(|| self.strangers.first_key_value().filter(may_go))
            .or_else(|| self.idle.first_key_value())
            .or_else(|| self.strangers.first_key_value())
            .map(|(_, id)| *id)?;
        self.remove(id)
    }

    /// Closes a connection that carries a verified request: a stream before a call, the oldest
    /// first. Of the caller's own, only a stream.
    fn close_serving(&mut self, whose: &EvictionVictim<T, C>, tenant: &T, caller: &C) -> Option<H> {
        let (tenant, caller, calls_too) = match whose {
            EvictionVictim::Own => (tenant, caller, false),
            EvictionVictim::Other(tenant, caller) => (tenant, caller, true),
        };
        let (id, ..) = self
            .serving_connections()
            .filter(|(_, _, holder)| holder.tenant == *tenant && holder.caller == *caller)
            .filter(|(_, _, holder)| holder.is_stream || calls_too)
            .min_by_key(|(_, turn, holder)| (!holder.is_stream, *turn))?;
        self.remove(id)
    }
}
