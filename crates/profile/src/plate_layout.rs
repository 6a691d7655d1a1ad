//! Which rows of the object table lie in which well, which wells on which plate, and which wells share a treatment.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;

use crate::columns::{numbers, texts};
use crate::{ProfileError, Role, WellInfo};

/// A well with the rows of its objects.
#[derive(Clone, Debug)]
pub(crate) struct WellCells {
    /// The plate map's entry, or one made up for a well that is only on disk.
    pub info: WellInfo,
    /// Rows of the object table, ascending.
    pub rows: Vec<usize>,
    /// Sites that were read, also those without an object.
    pub sites_read: u32,
    /// The plate it is on, index into [`PlateLayout::plates`].
    pub plate: usize,
}

/// A plate with its wells.
#[derive(Clone, Debug)]
pub(crate) struct PlateWells {
    /// Name.
    pub name: String,
    /// Indices into [`PlateLayout::wells`], in row-major order.
    pub wells: Vec<usize>,
    /// Those of them that are negative controls.
    pub controls: Vec<usize>,
}

/// Wells that got the same treatment at the same dose.
#[derive(Clone, Debug)]
pub(crate) struct TreatmentGroup {
    /// Treatment, or the well's own name when the plate map names none.
    pub name: String,
    /// Dose.
    pub dose: Option<f64>,
    /// Unit of the dose.
    pub unit: Option<String>,
    /// Role of its first well.
    pub role: Role,
    /// Indices into [`PlateLayout::wells`].
    pub wells: Vec<usize>,
}

/// All wells of a run and where their objects are.
#[derive(Clone, Debug)]
pub(crate) struct PlateLayout {
    /// Wells by plate, row and column.
    pub wells: Vec<WellCells>,
    /// Plates by name.
    pub plates: Vec<PlateWells>,
    /// Well of each row of the object table.
    pub well_of_row: Vec<usize>,
    /// Wells with objects that the plate map does not know, as `plate A01`.
    pub unknown: Vec<String>,
}

/// Plate, row, column and name of a well: the order of the tables.
type WellKey = (String, u32, u32, String);
/// A well's entry of the plate map, its rows of the object table, and the sites read.
type WellEntry = (WellInfo, Vec<usize>, u32);

/// Row and column of a well name, 0-based; (0, 0) for a name that is none.
fn position(well: &str) -> (u32, u32) {
    let letters = well.chars().take_while(char::is_ascii_alphabetic);
    let row = letters.fold(0_u32, |row, c| {
        row * 26 + (c.to_ascii_uppercase() as u32 - u32::from(b'A') + 1)
    });
    let digits = well.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    (
        row.saturating_sub(1),
        digits.parse::<u32>().unwrap_or(1).saturating_sub(1),
    )
}

impl PlateLayout {
    /// Joins the plate map with the object table and the site table.
    pub(crate) fn new(
        objects: &DataFrame,
        sites: &DataFrame,
        wells: &[WellInfo],
    ) -> Result<Self, ProfileError> {
        let mut by_key: BTreeMap<WellKey, WellEntry> = BTreeMap::new();
        let mut key_of: BTreeMap<(String, String), WellKey> = BTreeMap::new();
        for info in wells {
            let key = (info.plate.clone(), info.row, info.column, info.well.clone());
            if key_of
                .insert((info.plate.clone(), info.well.clone()), key.clone())
                .is_some()
            {
                return Err(ProfileError::DoubledWell {
                    plate: info.plate.clone(),
                    well: info.well.clone(),
                });
            }
            by_key.insert(key, (info.clone(), Vec::new(), 0));
        }
        let mut unknown = Vec::new();
        let mut known_or_new = |plate: &str, well: &str, by_key: &mut BTreeMap<WellKey, WellEntry>| {
            let name = (plate.to_owned(), well.to_owned());
            if let Some(key) = key_of.get(&name) {
                return key.clone();
            }
            let (row, column) = position(well);
            let key = (plate.to_owned(), row, column, well.to_owned());
            let info = WellInfo {
                plate: plate.to_owned(),
                well: well.to_owned(),
                row,
                column,
                treatment: None,
                dose: None,
                unit: None,
                role: Role::Treatment,
                extra: BTreeMap::new(),
                sites: 0,
                sites_skipped: 0,
            };
            unknown.push(format!("{plate} {well}"));
            by_key.insert(key.clone(), (info, Vec::new(), 0));
            key_of.insert(name, key.clone());
            key
        };

        let mut keys = Vec::with_capacity(objects.height());
        let (plate, well) = (
            texts("objects", objects, "Metadata_Plate")?,
            texts("objects", objects, "Metadata_Well")?,
        );
        for (row, (plate, well)) in plate.iter().zip(&well).enumerate() {
            let key = known_or_new(
                plate.as_deref().unwrap_or(""),
                well.as_deref().unwrap_or(""),
                &mut by_key,
            );
            if let Some(entry) = by_key.get_mut(&key) {
                entry.1.push(row);
            }
            keys.push(key);
        }
        let site_table = sites.height() > 0;
        if site_table {
            let (plate, well) = (
                texts("site quality", sites, "Metadata_Plate")?,
                texts("site quality", sites, "Metadata_Well")?,
            );
            for (plate, well) in plate.iter().zip(&well) {
                let key = known_or_new(
                    plate.as_deref().unwrap_or(""),
                    well.as_deref().unwrap_or(""),
                    &mut by_key,
                );
                if let Some(entry) = by_key.get_mut(&key) {
                    entry.2 += 1;
                }
            }
        }

        let mut index_of = BTreeMap::new();
        let (mut all, mut plates): (Vec<WellCells>, Vec<PlateWells>) = (Vec::new(), Vec::new());
        for (key, (mut info, rows, seen)) in by_key {
            if plates.last().is_none_or(|p| p.name != info.plate) {
                plates.push(PlateWells {
                    name: info.plate.clone(),
                    wells: Vec::new(),
                    controls: Vec::new(),
                });
            }
            let here = plates.len() - 1;
            let index = all.len();
            plates[here].wells.push(index);
            if info.role == Role::Negcon {
                plates[here].controls.push(index);
            }
            info.sites = info.sites.max(seen);
            let sites_read = if site_table {
                seen
            } else {
                info.sites
                    .saturating_sub(info.sites_skipped)
                    .max(u32::from(!rows.is_empty()))
            };
            all.push(WellCells {
                info,
                rows,
                sites_read,
                plate: here,
            });
            index_of.insert(key, index);
        }
        let well_of_row = keys
            .iter()
            .map(|key| index_of.get(key).copied().unwrap_or(0))
            .collect();
        Ok(Self {
            wells: all,
            plates,
            well_of_row,
            unknown,
        })
    }

    /// Treatments at one dose, wells without a treatment alone; neither negative controls nor empty wells.
    ///
    /// Ordered by treatment, dose, then first well.
    pub(crate) fn treatment_groups(&self) -> Vec<TreatmentGroup> {
        let several_plates = self.plates.len() > 1;
        let mut groups: BTreeMap<(String, u64, usize), TreatmentGroup> = BTreeMap::new();
        for (index, well) in self.wells.iter().enumerate() {
            let info = &well.info;
            if matches!(info.role, Role::Negcon | Role::Empty) {
                continue;
            }
            let (name, alone) = match &info.treatment {
                Some(name) => (name.clone(), 0),
                None if several_plates => (format!("{} {}", info.plate, info.well), index + 1),
                None => (info.well.clone(), index + 1),
            };
            // Doses are not negative in any plate map seen; their bits then sort like their values.
            let dose_bits = info.dose.map_or(0, |d| d.max(0.0).to_bits());
            groups
                .entry((name.clone(), dose_bits, alone))
                .or_insert_with(|| TreatmentGroup {
                    name,
                    dose: info.dose,
                    unit: info.unit.clone(),
                    role: info.role,
                    wells: Vec::new(),
                })
                .wells
                .push(index);
        }
        groups.into_values().collect()
    }

    /// Number of objects in these wells.
    pub(crate) fn cells(&self, wells: &[usize]) -> usize {
        wells.iter().map(|&w| self.wells[w].rows.len()).sum()
    }

    /// Wells with at least one object.
    pub(crate) fn with_cells(&self, wells: &[usize]) -> Vec<usize> {
        wells
            .iter()
            .copied()
            .filter(|&w| !self.wells[w].rows.is_empty())
            .collect()
    }

    /// Plate names that these wells lie on, joined by `+`.
    pub(crate) fn plate_names(&self, wells: &[usize]) -> String {
        let mut plates: Vec<usize> = wells.iter().map(|&w| self.wells[w].plate).collect();
        plates.sort_unstable();
        plates.dedup();
        plates
            .iter()
            .map(|&p| self.plates[p].name.as_str())
            .collect::<Vec<_>>()
            .join("+")
    }

    /// Well names, `A01;A02`, with their plate when the run has several.
    pub(crate) fn well_names(&self, wells: &[usize]) -> String {
        let name = |&w: &usize| {
            let info = &self.wells[w].info;
            if self.plates.len() > 1 {
                format!("{} {}", info.plate, info.well)
            } else {
                info.well.clone()
            }
        };
        wells.iter().map(name).collect::<Vec<_>>().join(";")
    }
}

/// Whether the site table has a numeric column, averaged by well.
pub(crate) fn mean_by_well(
    sites: &DataFrame,
    column: &str,
    layout: &PlateLayout,
) -> Result<Vec<(Option<f64>, u32)>, ProfileError> {
    let mut sums = vec![(0.0, 0_u32); layout.wells.len()];
    for (index, value) in site_wells(sites, layout)?
        .into_iter()
        .zip(numbers("site quality", sites, column)?)
    {
        if let (Some(index), Some(value)) = (index, value) {
            sums[index].0 += value;
            sums[index].1 += 1;
        }
    }
    Ok(sums
        .into_iter()
        .map(|(sum, n)| ((n > 0).then(|| sum / f64::from(n)), n))
        .collect())
}

/// Well of each row of the site table.
pub(crate) fn site_wells(
    sites: &DataFrame,
    layout: &PlateLayout,
) -> Result<Vec<Option<usize>>, ProfileError> {
    let index: BTreeMap<(&str, &str), usize> = layout
        .wells
        .iter()
        .enumerate()
        .map(|(i, w)| ((w.info.plate.as_str(), w.info.well.as_str()), i))
        .collect();
    let (plate, well) = (
        texts("site quality", sites, "Metadata_Plate")?,
        texts("site quality", sites, "Metadata_Well")?,
    );
    Ok(plate
        .iter()
        .zip(&well)
        .map(|(p, w)| {
            index
                .get(&(p.as_deref().unwrap_or(""), w.as_deref().unwrap_or("")))
                .copied()
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_names_become_positions() {
        assert_eq!(position("A01"), (0, 0));
        assert_eq!(position("H12"), (7, 11));
        assert_eq!(position("AF48"), (31, 47));
    }
}
