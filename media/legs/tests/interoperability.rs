//! Packets cross between our client and the family's stock client on one coturn.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use common::{Over, PATIENCE, TestLeg, config, coturn, packet};
use rtc_shared::turn_framing::TurnStreamDecoder;
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc_stun::crypto::default_provider;
use rtc_turn::client::{Client, ClientConfig, Event};
use sansio::Protocol;
use tacit_legs::Peer;
use tacit_legs::coturn::{Coturn, CoturnOptions, mint};
use tacit_types::LegIndex;
use tacit_types::limits::PACKET_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PACKETS: u32 = 250;

/// `rtc-turn`'s client with the glue that its async sibling lacks: TURN over TCP.
struct Stock {
    client: Client,
    stream: TcpStream,
    decoder: TurnStreamDecoder,
    transport: TransportContext,
}

impl Stock {
    async fn connect(coturn: &Coturn) -> Self {
        let server = coturn.plain_addr();
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local_addr = stream.local_addr().unwrap();
        let transport_protocol = TransportProtocol::TCP;
        let (username, password) = mint(coturn.secret(), Duration::from_secs(600));
        let config = ClientConfig {
            turn_serv_addr: server.to_string(),
            local_addr,
            transport_protocol,
            username,
            password,
            ..ClientConfig::default()
        };
        let client = Client::new(config, default_provider().unwrap()).unwrap();
        let peer_addr = server;
        let transport = TransportContext {
            local_addr,
            peer_addr,
            transport_protocol,
            ecn: None,
        };
        Self {
            client,
            stream,
            decoder: TurnStreamDecoder::new(),
            transport,
        }
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.client.poll_write() {
            self.stream.write_all(&transmit.message).await.unwrap();
        }
    }

    async fn event(&mut self) -> Event {
        let next = async {
            loop {
                self.flush().await;
                if let Some(event) = self.client.poll_event() {
                    return event;
                }
                let mut buffer = [0; 2048];
                let read = self.stream.read(&mut buffer).await.unwrap();
                assert_ne!(read, 0, "coturn closed the stock client's stream");
                self.decoder.extend_from_slice(&buffer[..read]);
                while let Some(message) = self.decoder.next_message().unwrap() {
                    let (now, transport) = (Instant::now(), self.transport);
                    let message = BytesMut::from(&message[..]);
                    self.client
                        .handle_read(TransportMessage {
                            now,
                            transport,
                            message,
                        })
                        .unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("an event in time")
    }

    async fn allocate(&mut self) -> SocketAddr {
        self.client.allocate(Instant::now()).unwrap();
        match self.event().await {
            Event::AllocateResponse(_, addr) => addr,
            other => panic!("expected AllocateResponse, got {other:?}"),
        }
    }

    async fn permit(&mut self, relayed: SocketAddr, peer: SocketAddr) {
        self.client
            .relay(relayed)
            .unwrap()
            .create_permission(Instant::now(), peer)
            .unwrap();
        match self.event().await {
            Event::CreatePermissionResponse(..) => {}
            other => panic!("expected CreatePermissionResponse, got {other:?}"),
        }
    }

    async fn send(&mut self, relayed: SocketAddr, peer: SocketAddr, packet: &[u8; PACKET_BYTES]) {
        self.client
            .relay(relayed)
            .unwrap()
            .send_to(Instant::now(), packet, peer)
            .unwrap();
        self.flush().await;
    }

    async fn data(&mut self) -> (SocketAddr, BytesMut) {
        match self.event().await {
            Event::DataIndicationOrChannelData(_, from, data) => (from, data),
            other => panic!("expected data, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn packets_cross_between_our_client_and_the_stock_client_of_the_family() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let mut stock = Stock::connect(&coturn).await;
    let stock_addr = stock.allocate().await;
    let peer = Peer::new(LegIndex(4), stock_addr);
    let mut ours =
        TestLeg::open(&coturn, Over::Tls, 0, config(coturn.credentials(), &[peer])).await;
    let our_addr = ours.allocated().await;
    assert_eq!(ours.bound().await, LegIndex(4));
    stock.permit(stock_addr, our_addr).await;
    for number in 0..PACKETS {
        let sent = packet(0, 4, number);
        ours.handle.try_send(LegIndex(4), &sent).unwrap();
        let (from, received) = stock.data().await;
        assert_eq!((from, &received[..]), (our_addr, &sent[..]));
        let sent = packet(4, 0, number);
        stock.send(stock_addr, our_addr, &sent).await;
        let received = ours.packet().await;
        assert_eq!((received.peer, received.bytes), (LegIndex(4), sent));
    }
    assert_eq!(ours.handle.drops().total(), 0);
}
