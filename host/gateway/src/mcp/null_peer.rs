use rmcp::service::{Peer, RxJsonRpcMessage, TxJsonRpcMessage, serve_directly_with_ct};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

/// A client that a request without a session could ask: there is none, and only the transport has
/// one.
pub(super) fn null_peer(stop: CancellationToken) -> Peer<RoleServer> {
    struct NullService;
    impl ServerHandler for NullService {}
    impl Transport<RoleServer> for NullService {
        type Error = std::io::Error;

        fn send(
            &mut self,
            _: TxJsonRpcMessage<RoleServer>,
        ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
            std::future::ready(Err(std::io::ErrorKind::NotConnected.into()))
        }

        fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleServer>>> + Send {
            std::future::pending()
        }

        fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
            std::future::ready(Ok(()))
        }
    }
    let service = serve_directly_with_ct(NullService, NullService, None, stop);
    let peer = service.peer().clone();
    tokio::spawn(service.waiting());
    peer
}
