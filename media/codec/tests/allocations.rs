//! Nothing allocates in a running call; a test binary of its own, because the counter is global.

mod common;

use common::{SILENCE, voice};
use tacit_codec::{Decoder, Encoder};

#[test]
fn encoding_decoding_and_repairing_allocate_nothing() {
    let mut encoder = Encoder::new().expect("libopus starts");
    let mut decoder = Decoder::new().expect("libopus starts");
    let mut out = SILENCE;
    let mut step = |number: usize| {
        let encoded = encoder.encode(&voice(number)).expect("it encodes");
        if number % 10 >= 8 {
            return;
        }
        if number.is_multiple_of(10) && number > 30 {
            for back in [2, 1] {
                decoder
                    .repair(&encoded.full, back, &mut out)
                    .expect("it reaches");
            }
            decoder.conceal(&mut out).expect("it conceals");
        }
        decoder.decode(&encoded.full, &mut out).expect("it decodes");
    };
    (0..40).for_each(&mut step);
    let counted = allocation_counter::measure(|| (40..100).for_each(&mut step));
    assert_eq!(counted.count_total, 0);
}
