//! 1024 made-up words that are easy to say: consonant, vowel, consonant, vowel.
//!
//! The letters at each place were picked to sound unlike one another over a poor line; every word
//! differs from every other one in at least one whole sound.

const FIRST: &[u8; 8] = b"bfglmrst";
const SECOND: &[u8; 8] = b"dlnprstv";
const VOWELS: &[u8; 4] = b"aiou";

static LETTERS: [[u8; 4]; 1024] = spell_all();

const fn spell_all() -> [[u8; 4]; 1024] {
    let mut words = [[0; 4]; 1024];
    let mut n = 0;
    while n < words.len() {
        words[n] = [
            FIRST[n >> 7],
            VOWELS[n >> 5 & 3],
            SECOND[n >> 2 & 7],
            VOWELS[n & 3],
        ];
        n += 1;
    }
    words
}

/// Word number `number` modulo 1024: from its highest bits down, three for the first consonant, two
/// for a vowel, three for the second consonant, two for a vowel.
pub(crate) fn word(number: u32) -> &'static str {
    core::str::from_utf8(&LETTERS[(number % 1024) as usize]).expect("the words are ASCII")
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn every_number_has_its_own_word() {
        let words: std::collections::BTreeSet<_> = (0..1024).map(word).collect();
        assert_eq!(words.len(), 1024);
        assert_eq!((word(0), word(1023)), ("bada", "tuvu"));
    }
}
