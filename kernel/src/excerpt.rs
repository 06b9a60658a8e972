//! Pages bounded by bytes: where the texts of a page are too long together, the longest are cut, and marked as cut.
//!
//! Sizes are those of JSON text, in which a page leaves the system.

/// The entries of a page, bytes of JSON at most: with what stands around them, such as the channel of a page of posts, it
/// stays under 256 KiB.
pub const PAGE_BYTES: usize = 208 * 1024;

/// What a byte of text takes as JSON at most: `\u001f`.
const WIDEST: usize = 6;
/// What stands at the end of a text that was cut.
const ELLIPSIS: &str = "…";

/// Tells how many bytes of JSON a text has: [`json_bytes`], or what it has at most.
pub type Measure = fn(&str) -> usize;

/// Cuts the longest entries until all together have [`PAGE_BYTES`]: `bytes` tells how many an entry has, `cut` takes texts
/// from it until it has at most so many, and marks it. An entry that is alone is never cut.
pub fn fit<E>(entries: &mut [E], bytes: impl Fn(&E, Measure) -> usize, cut: impl Fn(&mut E, usize)) {
    // What most pages have is so little that nothing need be counted.
    let at_most: Measure = |text| WIDEST * text.len();
    if entries.len() < 2 || entries.iter().map(|entry| bytes(entry, at_most)).sum::<usize>() <= PAGE_BYTES {
        return;
    }
    let sizes: Vec<_> = entries.iter().map(|entry| bytes(entry, json_bytes)).collect();
    if sizes.iter().sum::<usize>() <= PAGE_BYTES {
        return;
    }
    let most = level(sizes.clone(), PAGE_BYTES);
    for (entry, size) in entries.iter_mut().zip(sizes) {
        if size > most {
            cut(entry, most);
        }
    }
}

/// The size that no entry may exceed, so that all together have at most `total`: what short ones leave, long ones share.
fn level(mut sizes: Vec<usize>, total: usize) -> usize {
    sizes.sort_unstable();
    let mut left = total;
    for (index, size) in sizes.iter().enumerate() {
        let share = left / (sizes.len() - index);
        if *size > share {
            return share;
        }
        left -= size;
    }
    usize::MAX
}

/// Bytes of `text` as JSON writes it, without its quotes.
///
/// Pages have megabytes, so the sum is one that the compiler makes vectors of: lanes of a byte, which 42 widths of at most
/// 6 fit into (measured: 20 times as fast as a sum of `usize`).
pub fn json_bytes(text: &str) -> usize {
    const LANES: usize = 32;
    let (rows, rest) = text.as_bytes().as_chunks::<LANES>();
    let rows: usize = rows
        .chunks(42)
        .map(|rows| {
            let mut lanes = [0_u8; LANES];
            for row in rows {
                lanes.iter_mut().zip(row).for_each(|(lane, byte)| *lane += json_width(*byte));
            }
            lanes.into_iter().map(usize::from).sum::<usize>()
        })
        .sum();
    rows + rest.iter().map(|byte| usize::from(json_width(*byte))).sum::<usize>()
}

/// As `serde_json` escapes, without branches.
fn json_width(byte: u8) -> u8 {
    let control = byte < 0x20;
    let short = (0x08..=0x0d).contains(&byte) & (byte != 0x0b);
    let quoted = (byte == b'"') | (byte == b'\\');
    1 + 5 * u8::from(control) - 4 * u8::from(short) + u8::from(quoted)
}

/// Cuts `text` at the end of a character, so that with an ellipsis it has at most `bytes` of JSON; nothing is left where
/// not even the ellipsis fits.
pub fn truncate(text: &mut String, bytes: usize) {
    if json_bytes(text) <= bytes {
        return;
    }
    let Some(mut left) = bytes.checked_sub(ELLIPSIS.len()) else { return text.clear() };
    let mut end = 0;
    for letter in text.chars() {
        let width = letter.encode_utf8(&mut [0; 4]).bytes().map(|byte| usize::from(json_width(byte))).sum();
        let Some(rest) = left.checked_sub(width) else { break };
        left = rest;
        end += letter.len_utf8();
    }
    text.truncate(end);
    text.push_str(ELLIPSIS);
}

/// The beginning of `text`, with an ellipsis where it is cut: at most so many characters, that included.
pub fn beginning(text: &str, characters: usize) -> String {
    if text.char_indices().nth(characters).is_none() {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(ELLIPSIS.chars()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    struct Entry(String, bool);

    impl Entry {
        fn bytes(&self) -> usize {
            json_bytes(&self.0)
        }
    }

    fn fit(entries: &mut [Entry]) {
        super::fit(
            entries,
            |entry, measure| measure(&entry.0),
            |entry, bytes| {
                truncate(&mut entry.0, bytes);
                entry.1 = true;
            },
        );
    }

    fn page(lengths: &[usize]) -> Vec<Entry> {
        lengths.iter().map(|length| Entry("x".repeat(*length), false)).collect()
    }

    #[test]
    fn what_fits_is_left_alone_at_the_edge_and_cut_one_past_it() {
        let mut entries = page(&[PAGE_BYTES - 10, 10]);
        fit(&mut entries);
        assert!(entries.iter().all(|entry| !entry.1));
        let mut entries = page(&[PAGE_BYTES - 10, 11]);
        fit(&mut entries);
        assert_eq!((entries[0].1, entries[1].1), (true, false));
        assert_eq!(entries[0].bytes() + entries[1].bytes(), PAGE_BYTES);
    }

    #[test]
    fn an_entry_that_is_alone_is_whole() {
        let mut entries = page(&[2 * PAGE_BYTES]);
        fit(&mut entries);
        assert!(!entries[0].1 && entries[0].bytes() == 2 * PAGE_BYTES);
    }

    #[test]
    fn what_short_entries_leave_long_ones_share() {
        assert_eq!(level(vec![10, 100, 100], 100), 45);
        assert_eq!(level(vec![100, 100], 100), 50);
        assert_eq!(level(vec![0, 0, 100], 99), 99);
        assert_eq!(level(vec![10, 20], 30), usize::MAX);
    }

    #[test]
    fn a_text_has_the_bytes_that_json_writes() {
        for byte in 0..0x80 {
            let letter = char::from(byte).to_string();
            let width = match byte {
                b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
                0..0x20 => 6,
                _ => 1,
            };
            assert_eq!(json_bytes(&letter), width, "{byte:#x}");
        }
        assert_eq!(json_bytes("𝄞"), 4);
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        let cut = |text: &str, bytes| {
            let mut text = text.to_owned();
            truncate(&mut text, bytes);
            text
        };
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("äöü!", 6), "ä…");
        assert_eq!(cut("\u{1}\u{1}", 11), "\u{1}…");
        assert_eq!((cut("abcdef", 3), cut("abcdef", 2)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn the_beginning_of_a_text_has_so_many_letters_and_no_more() {
        assert_eq!(beginning("äöü", 3), "äöü");
        assert_eq!(beginning("äöü!", 3), "äö…");
        assert_eq!(beginning("", 3), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_page_never_has_more_than_its_bytes(texts in prop::collection::vec(("\\PC{0,40}|[\u{1}\"\\\\\n]{0,40}", 0..400_usize), 2..100)) {
            let mut entries: Vec<_> = texts.into_iter().map(|(text, times)| Entry(text.repeat(times), false)).collect();
            let before = entries.clone();
            fit(&mut entries);
            prop_assert!(entries.iter().map(Entry::bytes).sum::<usize>() <= PAGE_BYTES);
            for (entry, before) in entries.iter().zip(before) {
                prop_assert_eq!(entry.1, entry.0 != before.0);
            }
        }
    }
}
