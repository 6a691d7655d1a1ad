//! What the tracker claims of movies whose truth is known, for calibration: `claims OUT.csv FOLDER…`.
//!
//! Each FOLDER holds detections.csv of a virtual movie (columns frame, x, y, area, mean, eccentricity, p_metaphase, p_anaphase, truth_id, truth_id_2) and truth.csv
//! (track_id, parent_id). OUT.csv gets one row a link or division: movie, kind, probability, right, and what the probability
//! may depend on.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use track::{Detections, Frame, ObjectId, TrackOptions, track};

type Truth = Vec<Vec<(u32, u32)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (out, folders) = arguments.split_first().ok_or("usage: claims OUT.csv FOLDER…")?;
    let mut writer = csv::Writer::from_path(out)?;
    writer.write_record([
        "movie",
        "kind",
        "probability",
        "right",
        "gap",
        "event",
        "past",
        "future",
        "faults",
    ])?;
    let looks = std::env::var_os("POINTS_ONLY").is_none();
    for folder in folders {
        claims(Path::new(folder), looks, &mut writer)?;
    }
    writer.flush()?;
    Ok(())
}

fn claims(folder: &Path, looks: bool, writer: &mut csv::Writer<std::fs::File>) -> Result<(), Box<dyn Error>> {
    let (detections, truth) = read(folder, looks)?;
    let mothers = mothers(folder)?;
    let tracks = track(&detections, &TrackOptions::default())?;
    let of = |o: ObjectId| truth[o.frame as usize][o.index as usize];
    let shares = |a: (u32, u32), b: (u32, u32)| {
        a.0 > 0 && (a.0 == b.0 || a.0 == b.1 || (a.1 > 0 && (a.1 == b.0 || a.1 == b.1)))
    };
    let f = &tracks.model;
    let faults =
        (1.0 - f.detection_probability + f.merging + f.fragments_per_cell + f.false_per_cell).to_string();
    let movie = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for link in &tracks.links {
        if of(link.from).0 == 0 {
            continue;
        }
        let right = shares(of(link.from), of(link.to));
        let gap = (link.to.frame - link.from.frame).to_string();
        let p = link.probability.to_string();
        writer.write_record([
            &movie,
            "link",
            &p,
            &u8::from(right).to_string(),
            &gap,
            "0",
            "",
            "",
            &faults,
        ])?;
    }
    for d in tracks.divisions.iter().chain(&tracks.other_divisions) {
        let mother = of(d.mother).0;
        let right = mother > 0
            && d.daughters.iter().all(|&k| {
                let id = of(k).0;
                id > 0 && mothers.get(&id) == Some(&mother)
            })
            && of(d.daughters[0]).0 != of(d.daughters[1]).0;
        let kind = if d.tracks.is_some() { "division" } else { "other" };
        let length = |t: u32| tracks.tracks[t as usize - 1].last - tracks.tracks[t as usize - 1].first + 1;
        let last = detections.frames.len() as u32 - 1;
        let (past, future) = d.tracks.map_or((String::new(), String::new()), |t| {
            let mother = &tracks.tracks[t[0] as usize - 1];
            let past = if mother.parent.is_some() {
                99
            } else {
                d.mother.frame - mother.first
            };
            let open = |t: u32| {
                if tracks.tracks[t as usize - 1].last == last {
                    99
                } else {
                    length(t)
                }
            };
            (past.to_string(), open(t[1]).min(open(t[2])).to_string())
        });
        let gap = d
            .daughters
            .iter()
            .map(|k| k.frame - d.mother.frame)
            .max()
            .unwrap_or(1)
            .to_string();
        let (p, e) = (d.probability.to_string(), d.event_probability.to_string());
        writer.write_record([
            &movie,
            kind,
            &p,
            &u8::from(right).to_string(),
            &gap,
            &e,
            &past,
            &future,
            &faults,
        ])?;
    }
    for (frame, row) in tracks.reality.iter().enumerate() {
        for (p, t) in row.iter().zip(&truth[frame]) {
            if *p < 0.999 {
                writer.write_record([
                    &movie,
                    "real",
                    &p.to_string(),
                    &u8::from(t.0 > 0).to_string(),
                    "0",
                    "0",
                    "",
                    "",
                    &faults,
                ])?;
            }
        }
    }
    Ok(())
}

fn read(folder: &Path, looks: bool) -> Result<(Detections, Truth), Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(folder.join("detections.csv"))?;
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .ok_or(format!("no column {name}"))
    };
    let names = [
        "frame",
        "x",
        "y",
        "area",
        "mean",
        "eccentricity",
        "p_metaphase",
        "p_anaphase",
        "truth_id",
        "truth_id_2",
    ];
    let at: Vec<usize> = names.iter().map(|n| column(n)).collect::<Result<_, _>>()?;
    let mut detections = Detections {
        feature_names: vec!["eccentricity".into()],
        ..Detections::default()
    };
    let mut truth: Truth = vec![];
    for row in reader.records() {
        let row = row?;
        let v = |k: usize| row[at[k]].parse::<f64>();
        let t = v(0)? as usize;
        while detections.frames.len() <= t {
            detections.frames.push(Frame {
                features: vec![vec![]],
                ..Frame::default()
            });
            truth.push(vec![]);
        }
        let f = &mut detections.frames[t];
        f.x.push(v(1)?);
        f.y.push(v(2)?);
        if looks {
            f.area.push(v(3)?.max(1.0));
            f.intensity.push(v(4)?.max(1e-3));
            f.mitosis.push((v(6)? + v(7)?).clamp(0.0, 1.0));
        }
        f.features[0].push(if looks { v(5)? } else { f64::NAN });
        truth[t].push((v(8)? as u32, v(9)? as u32));
    }
    Ok((detections, truth))
}

fn mothers(folder: &Path) -> Result<BTreeMap<u32, u32>, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(folder.join("truth.csv"))?;
    let mut mothers = BTreeMap::new();
    for row in reader.records() {
        let row = row?;
        let parent: u32 = row[4].parse()?;
        if parent > 0 {
            mothers.insert(row[0].parse()?, parent);
        }
    }
    Ok(mothers)
}
