//! snow's primitives, chosen by us: randomness that the caller hands in, Diffie-Hellman that refuses
//! an all-zero result, and keys that are wiped when snow drops them.

use std::sync::{Arc, Mutex, PoisonError};

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use tacit_types::limits::TAG_BYTES;
use zeroize::{Zeroize, Zeroizing};

use crate::keys::{diffie_hellman, public_of};

/// Where the next ephemeral key's 32 bytes wait for snow to take them.
#[derive(Clone, Default)]
pub(crate) struct EphemeralSource(Arc<Mutex<Option<Zeroizing<[u8; 32]>>>>);

impl EphemeralSource {
    /// Lays out the 32 bytes of the next ephemeral.
    pub(crate) fn provide(&self, bytes: Zeroizing<[u8; 32]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

impl Random for EphemeralSource {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match bytes {
            Some(bytes) if dest.len() == bytes.len() => {
                dest.copy_from_slice(&*bytes);
                Ok(())
            }
            _ => Err(snow::Error::Rng),
        }
    }
}

pub(crate) struct Resolver(pub(crate) EphemeralSource);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(self.0.clone()))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        (*choice == DHChoice::Curve25519).then(|| Box::new(X25519::default()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        (*choice == CipherChoice::ChaChaPoly)
            .then(|| Box::new(ChaChaPoly::default()) as Box<dyn Cipher>)
    }
}

#[derive(Default)]
struct X25519 {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }
    fn pub_len(&self) -> usize {
        32
    }
    fn priv_len(&self) -> usize {
        32
    }
    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        self.public = public_of(&self.secret);
    }
    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        rng.try_fill_bytes(&mut *self.secret)?;
        self.public = public_of(&self.secret);
        Ok(())
    }
    fn pubkey(&self) -> &[u8] {
        &self.public
    }
    fn privkey(&self) -> &[u8] {
        &*self.secret
    }
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let mut peer = [0; 32];
        peer.copy_from_slice(public.get(..32).ok_or(snow::Error::Dh)?);
        let shared = diffie_hellman(&self.secret, peer).ok_or(snow::Error::Dh)?;
        out[..32].copy_from_slice(shared.expose());
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct ChaChaPoly(Zeroizing<[u8; 32]>);

impl ChaChaPoly {
    /// Noise's nonce for ChaChaPoly: four zero bytes, then the counter, little-endian.
    fn nonce(counter: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_le_bytes());
        nonce
    }
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }
    fn set(&mut self, key: &[u8; 32]) {
        self.0.copy_from_slice(key);
    }
    fn encrypt(&self, counter: u64, ad: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (body, rest) = out.split_at_mut(plaintext.len());
        body.copy_from_slice(plaintext);
        let tag = ChaCha20Poly1305::new((&*self.0).into())
            .encrypt_in_place_detached(&Self::nonce(counter).into(), ad, body)
            .expect("a handshake message is far below the cipher's limit");
        rest[..TAG_BYTES].copy_from_slice(&tag);
        plaintext.len() + TAG_BYTES
    }
    fn decrypt(
        &self,
        counter: u64,
        ad: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let length = ciphertext
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or(snow::Error::Decrypt)?;
        let (body, tag) = ciphertext.split_at(length);
        let plaintext = out.get_mut(..length).ok_or(snow::Error::Decrypt)?;
        plaintext.copy_from_slice(body);
        let opened = ChaCha20Poly1305::new((&*self.0).into()).decrypt_in_place_detached(
            &Self::nonce(counter).into(),
            ad,
            plaintext,
            tag.into(),
        );
        if opened.is_err() {
            plaintext.zeroize();
        }
        opened.map(|()| length).map_err(|_| snow::Error::Decrypt)
    }
}
