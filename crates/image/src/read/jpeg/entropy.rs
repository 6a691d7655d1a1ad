//! Counting the blocks of a sequential JPEG scan: are the bits of every block in the file?
//!
//! Decoders fill what is missing with gray, which would be measured as cells or background. Only lengths are decoded here,
//! no coefficient is computed. Source: ITU-T T.81 (1992), annexes C and F.

use std::rc::Rc;

use crate::read::fault::Fault;

/// A Huffman table as a lookup by the next 16 bits: code length and symbol; length 0 where no code begins so.
#[derive(Clone, Debug)]
pub(super) struct HuffmanTable(Rc<[(u8, u8)]>);

impl HuffmanTable {
    /// Reads 16 counts and the symbols; returns what follows.
    pub(super) fn parse(segment: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let short = || Fault::Damaged("a Huffman table is cut short".to_owned());
        let (counts, rest) = segment.split_first_chunk::<16>().ok_or_else(short)?;
        let n: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(n).ok_or_else(short)?;
        let mut lookup = vec![(0u8, 0u8); 1 << 16];
        let mut symbols = symbols.iter();
        let mut code = 0usize;
        for (length, &count) in (1u8..).zip(counts) {
            let span = 1usize << (16 - length);
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                lookup
                    .get_mut(code..code + span)
                    .ok_or_else(|| Fault::Damaged("a Huffman table has more codes than bits".to_owned()))?
                    .fill((length, symbol));
                code += span;
            }
        }
        Ok((Self(lookup.into()), rest))
    }
}

/// A component of a scan: its sampling factors and tables.
pub(super) struct ScanComponent {
    pub(super) horizontal: u8,
    pub(super) vertical: u8,
    pub(super) dc: HuffmanTable,
    pub(super) ac: HuffmanTable,
}

/// Size of the image and the largest sampling factors of the frame.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) most_h: u8,
    pub(super) most_v: u8,
}

/// Bytes up to the next marker that is no restart marker.
pub(super) fn length(bytes: &[u8]) -> usize {
    let is_end = |pair: &[u8]| matches!(*pair, [0xff, code] if code != 0 && code != 0xff && !(0xd0..=0xd7).contains(&code));
    bytes.windows(2).position(is_end).unwrap_or(bytes.len())
}

/// Goes through all blocks of a scan and returns the bytes it takes.
///
/// Errors: `EndsEarly` where a marker or the end of the file comes first, `Damaged` where a code is none.
pub(super) fn count_blocks(
    bytes: &[u8],
    components: &[ScanComponent],
    grid: Grid,
    restart_interval: usize,
) -> Result<usize, Fault> {
    let (width, height) = (usize::from(grid.width), usize::from(grid.height));
    let (most_h, most_v) = (usize::from(grid.most_h), usize::from(grid.most_v));
    // A scan of one component counts its own blocks; several components come in units of all their blocks.
    let (n_units, blocks): (usize, Vec<(&ScanComponent, usize)>) = match components {
        [one] => {
            let columns = (width * usize::from(one.horizontal)).div_ceil(8 * most_h);
            let rows = (height * usize::from(one.vertical)).div_ceil(8 * most_v);
            (columns * rows, vec![(one, 1)])
        }
        _ => {
            let units = width.div_ceil(8 * most_h) * height.div_ceil(8 * most_v);
            let each = |component| -> (&ScanComponent, usize) {
                let component: &ScanComponent = component;
                (
                    component,
                    usize::from(component.horizontal) * usize::from(component.vertical),
                )
            };
            (units, components.iter().map(each).collect())
        }
    };
    let mut bits = Bits::new(bytes);
    for unit in 0..n_units {
        if restart_interval > 0 && unit > 0 && unit % restart_interval == 0 {
            bits.restart(unit, n_units)?;
        }
        for &(component, n_blocks) in &blocks {
            for _ in 0..n_blocks {
                skip_block(&mut bits, component).map_err(|stop| stop.fault(unit, n_units))?;
            }
        }
    }
    let at = bits.next_byte();
    Ok(at + length(bytes.get(at..).unwrap_or_default()))
}

/// Why a block could not be gone through.
enum Stop {
    NoBits,
    NoCode,
}

impl Stop {
    fn fault(self, unit: usize, n_units: usize) -> Fault {
        match self {
            Self::NoBits => Fault::EndsEarly(format!(
                "the compressed pixels stop after {unit} of {n_units} blocks"
            )),
            Self::NoCode => Fault::Damaged(format!("block {unit} of {n_units} has an invalid code")),
        }
    }
}

/// One block: the DC difference, then runs of zeros with AC coefficients up to the 63rd.
fn skip_block(bits: &mut Bits, component: &ScanComponent) -> Result<(), Stop> {
    let dc_bits = bits.symbol(&component.dc)?;
    if dc_bits > 16 {
        return Err(Stop::NoCode);
    }
    bits.skip(u32::from(dc_bits))?;
    let mut coefficient = 1;
    while coefficient < 64 {
        let run_and_bits = bits.symbol(&component.ac)?;
        let (run, n_bits) = (u32::from(run_and_bits >> 4), u32::from(run_and_bits & 15));
        if n_bits == 0 {
            if run < 15 {
                return Ok(());
            }
            coefficient += 16;
        } else {
            coefficient += run + 1;
            bits.skip(n_bits)?;
        }
    }
    // A run may not lead beyond the 64th coefficient.
    if coefficient > 64 {
        Err(Stop::NoCode)
    } else {
        Ok(())
    }
}

/// The bits of a scan, without stuffed zeros, up to a marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, right-aligned in the low `n` bits.
    buffer: u64,
    n: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            buffer: 0,
            n: 0,
        }
    }

    fn refill(&mut self) {
        while self.n <= 48 {
            match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.buffer = self.buffer << 8 | 0xff;
                    self.at += 2;
                }
                // A marker, or a last byte 0xff that may be the first half of one.
                (Some(0xff), _) | (None, _) => return,
                (Some(&byte), _) => {
                    self.buffer = self.buffer << 8 | u64::from(byte);
                    self.at += 1;
                }
            }
            self.n += 8;
        }
    }

    fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, Stop> {
        if self.n < 16 {
            self.refill();
        }
        // Beyond the last bit the code is completed with ones, as the padding of the last byte is.
        let next = if self.n >= 16 {
            (self.buffer >> (self.n - 16)) & 0xffff
        } else {
            let missing = 16 - self.n;
            ((self.buffer << missing) | ((1 << missing) - 1)) & 0xffff
        };
        let (length, symbol) = table.0.get(next as usize).copied().unwrap_or((0, 0));
        if u32::from(length) > self.n {
            return Err(Stop::NoBits);
        }
        if length == 0 {
            return Err(if self.n < 16 { Stop::NoBits } else { Stop::NoCode });
        }
        self.n -= u32::from(length);
        Ok(symbol)
    }

    fn skip(&mut self, n: u32) -> Result<(), Stop> {
        if self.n < n {
            self.refill();
        }
        self.n = self.n.checked_sub(n).ok_or(Stop::NoBits)?;
        Ok(())
    }

    /// Drops the padding and goes past a restart marker.
    fn restart(&mut self, unit: usize, n_units: usize) -> Result<(), Fault> {
        // More than padding left means that the blocks and the markers disagree.
        self.refill();
        if self.n >= 8 {
            return Err(Fault::Damaged(format!(
                "no restart marker before block {unit} of {n_units}"
            )));
        }
        (self.buffer, self.n) = (0, 0);
        match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
            (Some(0xff), Some(0xd0..=0xd7)) => {
                self.at += 2;
                Ok(())
            }
            (Some(_), Some(_)) => Err(Fault::Damaged(format!(
                "no restart marker before block {unit} of {n_units}"
            ))),
            _ => Err(Stop::NoBits.fault(unit, n_units)),
        }
    }

    /// Where the first byte lies that was not read into bits; whole unread bytes are given back.
    fn next_byte(&self) -> usize {
        // A stuffed pair in the buffer counts as one byte here, which only makes the search for the next marker start earlier.
        self.at.saturating_sub(2 * (self.n / 8) as usize)
    }
}
