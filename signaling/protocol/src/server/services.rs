//! PING and CRED-GET: what a server does besides ringing.

use super::connection::Phase;
use super::{ConnectionId, Server, ServerEvent};
use crate::bucket::Rate;
use crate::dropped::DropReason;
use crate::frame::{Cred, Frame, Ping};
use crate::limits::{CRED_BURST, CRED_INTERVAL, PING_BURST, PING_INTERVAL};
use tacit_types::Timestamp;

impl Server {
    /// Answers a [`ServerEvent::CredentialsWanted`].
    pub fn credentials(&mut self, conn: ConnectionId, cred: &Cred, _now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if connection.credentials_wanted > 0 {
            connection.credentials_wanted -= 1;
            self.send(conn, &Frame::Cred(cred.clone()));
        }
    }

    pub(super) fn ping(
        &mut self,
        conn: ConnectionId,
        ping: Ping,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let rate = Rate {
            burst: PING_BURST,
            interval: PING_INTERVAL,
        };
        let connection = self
            .connections
            .get_mut(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        if !connection.pings.take(rate, now) {
            self.drops.count(DropReason::RateLimited);
        } else if !ping.echo {
            self.send(
                conn,
                &Frame::Ping(Ping {
                    echo: true,
                    number: ping.number,
                }),
            );
        }
        Ok(())
    }

    pub(super) fn cred_get(
        &mut self,
        conn: ConnectionId,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let connection = self
            .connections
            .get_mut(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        if !matches!(
            connection.phase,
            Phase::Fresh | Phase::Idle | Phase::Credentials
        ) {
            return Err(DropReason::Unexpected);
        }
        if !self.config.services().credentials {
            return Err(DropReason::Offline);
        }
        connection.phase = Phase::Credentials;
        let rate = Rate {
            burst: CRED_BURST,
            interval: CRED_INTERVAL,
        };
        if !connection.credentials.take(rate, now) {
            return Err(DropReason::RateLimited);
        }
        connection.credentials_wanted += 1;
        self.events
            .push_back(ServerEvent::CredentialsWanted { conn });
        Ok(())
    }
}
