use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use toolhost_audit::{Event, GrantApproved, Sink};
use toolhost_policy::{CheckedConnection, ConnectionName, Grant, Manifest, PluginName};
use toolhost_sandbox::{AdapterComponent, contract};
use toolhost_tools::{
    AdapterConnection, Assignments, Catalogue, PluginState, PluginStatus, PreparedPlugin, Tools,
};

use super::loader::{LoadedCandidate, LoadedConnection, LoadedPlugin};
use super::start::OmittedPlugin;
use super::{Candidate, CandidateKind, Omission, OmissionReason};
use crate::exit::{CliError, Exit};
use crate::grants::{self, Approver, Lock, PluginApproval, approve, approve_described};
use crate::setup::Setup;
use crate::wiring::adapters::{ConnectionDiscovery, path_parameters};
use crate::wiring::approval_json;

/// Every connection of the configuration; with the base that its document proposes once somebody
/// has said yes to it. Until then such a one is at a place that is none.
pub(crate) type ServedConnections = ArcSwap<BTreeMap<ConnectionName, CheckedConnection>>;

/// Something to load, the place that it is for, and what was granted of it where it is a
/// connection.
pub(crate) type LoadJob = (usize, CandidateKind, Option<grants::ConnectionApproval>);

/// What becomes of each candidate, and the catalogue of those that are served. It grows while the
/// host serves.
pub(crate) struct Assembly {
    setup: Arc<Setup>,
    lock: Lock,
    audit: Arc<dyn Sink>,
    assignments: Arc<Assignments>,
    tools: Arc<Tools>,
    connections: Arc<ServedConnections>,
    places: Vec<CandidateSlot>,
}

/// The tools of a connection, and the connection as it is served.
type PreparedConnection = (Arc<PreparedPlugin>, CheckedConnection);

/// One candidate.
struct CandidateSlot {
    name: String,
    /// The tools that were granted to the very file that is there, which no other plugin gets
    /// meanwhile.
    reserved: BTreeSet<String>,
    /// Whether the very file that is there was granted.
    is_granted: bool,
    /// Where the connection's system is, once its document was read.
    connection: Option<CheckedConnection>,
    state: CandidateState,
}

enum CandidateState {
    Loading,
    Loaded(LoadedCandidate),
    Served(Arc<PreparedPlugin>),
    LeftOut(Omission),
}

impl Assembly {
    /// Of candidates, none of which is served yet; with what there is to load.
    pub(crate) fn new(
        setup: Arc<Setup>,
        lock: Lock,
        audit: Arc<dyn Sink>,
        assignments: Arc<Assignments>,
        tools: Arc<Tools>,
        candidates: Vec<Candidate>,
    ) -> (Self, Vec<LoadJob>) {
        let (mut places, mut jobs) = (Vec::new(), Vec::new());
        for (index, candidate) in candidates.into_iter().enumerate() {
            let mut place = CandidateSlot {
                name: candidate.name,
                reserved: BTreeSet::new(),
                is_granted: false,
                connection: None,
                state: CandidateState::Loading,
            };
            match candidate.what {
                Err(left_out) => place.state = CandidateState::LeftOut(left_out),
                Ok(kind) => {
                    if let CandidateKind::Plugin(file) = &kind
                        && let Some(known) = lock.plugin_approval(&place.name)
                        && known.digest == file.digest
                    {
                        place.is_granted = true;
                        place.reserved = known.tools.keys().cloned().collect();
                    }
                    let before = lock.connection_approval(&place.name).cloned();
                    jobs.push((index, kind, before));
                }
            }
            places.push(place);
        }
        let connections = Arc::new(ArcSwap::from_pointee(setup.config.connections.clone()));
        let assembly = Self {
            setup,
            lock,
            audit,
            assignments,
            tools,
            connections,
            places,
        };
        (assembly, jobs)
    }

    /// The connections as they are served; they change as documents are read and approved.
    pub(crate) fn connections(&self) -> Arc<ServedConnections> {
        Arc::clone(&self.connections)
    }

    /// Takes what was loaded, or why it cannot be. It is served once it is settled.
    pub(crate) fn accept_loaded(
        &mut self,
        index: usize,
        loaded: Result<LoadedCandidate, Omission>,
    ) {
        if let Some(place) = self.places.get_mut(index) {
            place.state = match loaded {
                Ok(loaded) => CandidateState::Loaded(loaded),
                Err(left_out) => CandidateState::LeftOut(left_out),
            };
        }
    }

    /// Gets the yes for what has arrived, and serves it.
    ///
    /// # Errors
    /// The yes cannot be recorded or kept; the catalogue stands as before.
    pub(crate) fn settle(&mut self, answerer: &mut Approver<'_>) -> anyhow::Result<()> {
        let connections = self.settle_connections(answerer);
        let plugins = self.settle_plugins(answerer);
        self.publish()?;
        connections.and(plugins)
    }

    /// The plugins that are left out so far, with why.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = OmittedPlugin<'_>> {
        self.places.iter().filter_map(|place| match &place.state {
            CandidateState::LeftOut(left_out) => Some(OmittedPlugin {
                name: &place.name,
                left_out,
            }),
            _ => None,
        })
    }

    /// Those that are not served, or not yet.
    pub(crate) fn not_served(&self) -> BTreeSet<String> {
        let others = self
            .places
            .iter()
            .filter(|place| !matches!(place.state, CandidateState::Served(_)));
        others.map(|place| place.name.clone()).collect()
    }

    /// Whether every candidate is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.places
            .iter()
            .all(|place| matches!(place.state, CandidateState::LeftOut(_)))
    }

    /// # Errors
    /// A yes cannot be recorded: what it was for is left out, and the others are settled.
    fn settle_connections(&mut self, answerer: &mut Approver<'_>) -> anyhow::Result<()> {
        let mut unrecorded: anyhow::Result<()> = Ok(());
        for index in 0..self.places.len() {
            let Some(loaded) = self.take_connection(index) else {
                continue;
            };
            let LoadedConnection {
                name,
                adapter,
                look,
            } = *loaded;
            let outcome = match look.now {
                Ok(found) => self.serve_connection(&name, &adapter, found, answerer),
                Err(left_out) => Ok(Err(left_out)),
            };
            let outcome = outcome.unwrap_or_else(|error| {
                let failure = internal(error);
                unrecorded = Err(failure.clone().into());
                Err(not_granted_omission(true, failure))
            });
            let outcome = match (outcome, look.before) {
                (Err(left_out), Some(before)) => {
                    let why = &left_out.failure.message;
                    tracing::warn!(connection = %name, "what was approved before is served: {why}");
                    let served =
                        self.serve_connection(&name, &adapter, before, &mut Approver::Nobody);
                    served.unwrap_or_else(|_| Err(left_out))
                }
                (outcome, _) => outcome,
            };
            let Some(place) = self.places.get_mut(index) else {
                continue;
            };
            match outcome {
                Ok((prepared, connection)) => {
                    place.connection = Some(connection);
                    place.state = CandidateState::Served(prepared);
                }
                Err(left_out) => place.state = CandidateState::LeftOut(left_out),
            }
        }
        Ok(())
    }

    fn take_connection(&mut self, index: usize) -> Option<Box<LoadedConnection>> {
        let place = self.places.get_mut(index)?;
        match std::mem::replace(&mut place.state, CandidateState::Loading) {
            CandidateState::Loaded(LoadedCandidate::Connection(loaded)) => Some(loaded),
            other => {
                place.state = other;
                None
            }
        }
    }

    fn serve_connection(
        &mut self,
        name: &ConnectionName,
        adapter: &AdapterComponent,
        found: ConnectionDiscovery,
        answerer: &mut Approver<'_>,
    ) -> anyhow::Result<Result<PreparedConnection, Omission>> {
        let settings = self.setup.config.adapters.get(name);
        let slashes = |tool: &contract::Discovered| {
            let parameters = settings.map(|settings| path_parameters(settings, tool));
            (tool.tool.name.clone(), parameters.unwrap_or_default())
        };
        let described = AdapterConnection {
            slashes: found.tools.iter().map(slashes).collect(),
            adapter: adapter.clone(),
            connection: found.connection.clone(),
            limits: self.setup.config.limits.clone(),
            tools: found.tools,
            strict_output: settings.is_some_and(|settings| settings.strict_output),
        };
        let refuse = |why: String| Omission::new(OmissionReason::Tools, CliError::plugin(why));
        let prepared = match PreparedPlugin::of_connection(described) {
            Ok(prepared) => Arc::new(prepared),
            Err(why) => return Ok(Err(refuse(why.to_string()))),
        };
        if let Err(left_out) = self.conflict(&prepared, &[], usize::MAX) {
            return Ok(Err(left_out));
        }
        let asked = &found.asked;
        if self.lock.connection_approval(&asked.name) == Some(asked) {
            self.audit.record_now(&Event::GrantApproved(GrantApproved {
                plugin: asked.name.clone(),
                digest: asked
                    .document
                    .clone()
                    .unwrap_or_else(|| asked.digest.clone()),
                by: "host.lock",
            }))?;
            return Ok(Ok((prepared, found.connection)));
        }
        let is_known = self.lock.connection_approval(&asked.name).is_some();
        let said = approve_described(
            asked,
            &found.document,
            &found.notes,
            &mut self.lock,
            answerer,
            self.audit.as_ref(),
        )?;
        Ok(match said {
            Ok(()) => Ok((prepared, found.connection)),
            Err(text) => {
                let why = format!(
                    "{text}this is not granted to connection {name} yet: run it once on a terminal and answer the question, pass --yes, or use host connection approve {name}"
                );
                Err(not_granted_omission(is_known, CliError::refusal(why)))
            }
        })
    }

    /// # Errors
    /// As [`Assembly::settle_connections`].
    fn settle_plugins(&mut self, answerer: &mut Approver<'_>) -> anyhow::Result<()> {
        let mut recorded = Ok(());
        let connections = self.placed_connections();
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        // What was granted comes before what is new: a new plugin never takes a tool's name from
        // one that is known.
        order.sort_by_key(|&index| self.places.get(index).is_none_or(|place| !place.is_granted));
        let mut new: Vec<(usize, Arc<PreparedPlugin>, PluginApproval)> = Vec::new();
        for index in order {
            let Some(loaded) = self.take_plugin(index) else {
                continue;
            };
            let (prepared, asked) = match self.prepare(*loaded, &connections) {
                Ok(prepared) => prepared,
                Err(left_out) => {
                    self.leave_out(index, left_out);
                    continue;
                }
            };
            if let Err(left_out) = self.conflict(&prepared, &new, index) {
                self.leave_out(index, left_out);
            } else if self.lock.plugin_approval(&asked.name) == Some(&asked) {
                recorded =
                    recorded.and(self.ask(vec![(index, prepared, asked)], &mut Approver::Nobody));
            } else {
                new.push((index, prepared, asked));
            }
        }
        if !matches!(answerer, Approver::Nobody) {
            return recorded.and(self.ask(new, answerer));
        }
        // Each is told its own reason.
        for one in new {
            recorded = recorded.and(self.ask(vec![one], answerer));
        }
        recorded
    }

    /// A plugin that has arrived, unless it needs to know where a connection's system is and the
    /// document is still being read.
    fn take_plugin(&mut self, index: usize) -> Option<Box<LoadedPlugin>> {
        let place = self.places.get(index)?;
        let CandidateState::Loaded(LoadedCandidate::Plugin(loaded)) = &place.state else {
            return None;
        };
        let is_loading = |name: &ConnectionName| {
            let mut others = self.places.iter();
            others.any(|other| {
                other.name == name.as_str()
                    && matches!(
                        other.state,
                        CandidateState::Loading | CandidateState::Loaded(_)
                    )
            })
        };
        if self.placed_by_documents(&loaded.manifest).any(is_loading) {
            return None;
        }
        let place = self.places.get_mut(index)?;
        match std::mem::replace(&mut place.state, CandidateState::Loading) {
            CandidateState::Loaded(LoadedCandidate::Plugin(loaded)) => Some(loaded),
            _ => None,
        }
    }

    /// The connections that a plugin asks for whose systems are where their documents say.
    fn placed_by_documents<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = &'a ConnectionName> {
        let names = manifest.connections.iter().map(|request| &request.name);
        names.filter(move |name| {
            let settings = self.setup.config.adapters.get(*name);
            settings.is_some_and(|settings| settings.takes_base)
        })
    }

    fn prepare(
        &self,
        loaded: LoadedPlugin,
        connections: &BTreeMap<ConnectionName, CheckedConnection>,
    ) -> Result<(Arc<PreparedPlugin>, PluginApproval), Omission> {
        let LoadedPlugin {
            plugin,
            manifest,
            tools,
        } = loaded;
        let is_placed = |name: &ConnectionName| {
            let mut places = self.places.iter();
            places.any(|place| place.name == name.as_str() && place.connection.is_some())
        };
        if let Some(name) = self
            .placed_by_documents(&manifest)
            .find(|name| !is_placed(name))
        {
            let why = format!(
                "plugin {} asks for connection {name}, which is left out itself, so that nobody knows where its system is",
                manifest.name
            );
            return Err(Omission::new(
                OmissionReason::Refused,
                CliError::refusal(why),
            ));
        }
        let grant =
            Grant::resolve(&manifest, connections, &self.setup.config.limits).map_err(|error| {
                Omission::new(
                    OmissionReason::Refused,
                    CliError::refusal(error.to_string()),
                )
            })?;
        let seen = tools
            .iter()
            .map(|tool| (tool.name.clone(), approval_json(tool)))
            .collect();
        let asked = PluginApproval::new(&manifest, plugin.digest().to_string(), &seen);
        let prepared = PreparedPlugin::of_plugin(plugin, grant, tools).map_err(|error| {
            Omission::new(OmissionReason::Tools, CliError::plugin(error.to_string()))
        })?;
        Ok((Arc::new(prepared), asked))
    }

    /// The connections of the configuration, each where its system is.
    fn placed_connections(&self) -> BTreeMap<ConnectionName, CheckedConnection> {
        let mut connections = self.setup.config.connections.clone();
        for connection in self
            .places
            .iter()
            .filter_map(|place| place.connection.as_ref())
        {
            connections.insert(connection.name.clone(), connection.clone());
        }
        connections
    }

    /// Refuses a plugin that has the name of another, or one of whose tools has. `new` are those
    /// that will be asked about with it; `index` is its own place.
    fn conflict(
        &self,
        prepared: &PreparedPlugin,
        new: &[(usize, Arc<PreparedPlugin>, PluginApproval)],
        index: usize,
    ) -> Result<(), Omission> {
        let served = self.places.iter().filter_map(|place| match &place.state {
            CandidateState::Served(served) => Some(served),
            _ => None,
        });
        let others: Vec<_> = served
            .chain(new.iter().map(|(_, prepared, _)| prepared))
            .collect();
        let is_granted = self.places.get(index).is_some_and(|place| place.is_granted);
        let mut owners: HashMap<&str, PluginName> = HashMap::new();
        for (other, place) in self.places.iter().enumerate() {
            let is_first = !is_granted || other < index;
            let waits = matches!(
                place.state,
                CandidateState::Loading | CandidateState::Loaded(_)
            );
            if other == index || !waits || !place.is_granted || !is_first {
                continue;
            }
            if let Ok(name) = PluginName::parse(&place.name) {
                owners.extend(
                    place
                        .reserved
                        .iter()
                        .map(|tool| (tool.as_str(), name.clone())),
                );
            }
        }
        for other in &others {
            owners.extend(other.tool_names().map(|tool| (tool, other.name().clone())));
        }
        let names = others.iter().map(|other| other.name());
        prepared
            .conflict(names, |tool| owners.get(tool))
            .map_err(|error| {
                Omission::new(OmissionReason::Tools, CliError::plugin(error.to_string()))
            })
    }

    fn ask(
        &mut self,
        new: Vec<(usize, Arc<PreparedPlugin>, PluginApproval)>,
        answerer: &mut Approver<'_>,
    ) -> anyhow::Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let asked: Vec<PluginApproval> = new.iter().map(|(.., asked)| asked.clone()).collect();
        let known: BTreeSet<String> = self
            .lock
            .plugins()
            .into_keys()
            .map(|name| name.to_string())
            .collect();
        let said = approve(&asked, &mut self.lock, answerer, self.audit.as_ref());
        let refused = match said {
            Ok(()) => None,
            Err(error) => Some(internal(error)),
        };
        for (index, prepared, asked) in new {
            match &refused {
                None => self.serve(index, prepared),
                Some(failure) => {
                    self.leave_out(
                        index,
                        not_granted_omission(known.contains(&asked.name), failure.clone()),
                    );
                }
            }
        }
        match refused {
            Some(failure) if failure.exit == Exit::Internal => Err(failure.into()),
            _ => Ok(()),
        }
    }

    fn serve(&mut self, index: usize, prepared: Arc<PreparedPlugin>) {
        if let Some(place) = self.places.get_mut(index) {
            place.state = CandidateState::Served(prepared);
        }
    }

    fn leave_out(&mut self, index: usize, left_out: Omission) {
        if let Some(place) = self.places.get_mut(index) {
            place.state = CandidateState::LeftOut(left_out);
        }
    }

    /// A catalogue of what is served now takes the place of the one before, where it is another
    /// one.
    fn publish(&mut self) -> anyhow::Result<()> {
        let served = self.places.iter().filter_map(|place| match &place.state {
            CandidateState::Served(served) => Some(Arc::clone(served)),
            _ => None,
        });
        let served: Vec<_> = served.collect();
        let catalogue = Catalogue::of_prepared(&served)?;
        if catalogue.revision() != self.tools.revision() {
            let mut plugins = catalogue.plugins();
            // An operator may assign what is left out for now.
            for place in self.places.iter().filter(|place| place.is_granted) {
                if let Ok(name) = PluginName::parse(&place.name) {
                    plugins
                        .entry(name)
                        .or_insert_with(|| place.reserved.clone());
                }
            }
            self.assignments
                .serve(self.setup.config.assignment_rules(), plugins);
            self.tools.replace_catalogue(catalogue);
        }
        self.connections.store(Arc::new(self.placed_connections()));
        self.tools.statuses().set(self.statuses());
        Ok(())
    }

    fn statuses(&self) -> Vec<PluginStatus> {
        let status = |place: &CandidateSlot| match &place.state {
            CandidateState::LeftOut(left_out) => left_out.status(&place.name),
            other => PluginStatus {
                plugin: place.name.clone(),
                state: match other {
                    CandidateState::Served(_) => PluginState::Served,
                    _ => PluginState::Loading,
                },
            },
        };
        self.places.iter().map(status).collect()
    }
}

fn internal(error: anyhow::Error) -> CliError {
    error
        .downcast::<CliError>()
        .unwrap_or_else(|error| CliError {
            exit: Exit::Internal,
            message: format!("{error:#}"),
        })
}

fn not_granted_omission(is_known: bool, failure: CliError) -> Omission {
    let reason = if is_known {
        OmissionReason::Changed
    } else {
        OmissionReason::NotGranted
    };
    Omission::new(reason, failure).with_summary(match reason {
        OmissionReason::Changed => {
            "it changed since it was granted: start the host once on a terminal and answer the question, or pass --yes"
        }
        _ => "it is not granted yet: start the host once on a terminal and answer the question, or pass --yes",
    })
}
