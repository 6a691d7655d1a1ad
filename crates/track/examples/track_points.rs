//! Tracks a table of points: `track_points POINTS.csv TRACKS.csv [STEP]`.
//!
//! POINTS.csv has the columns frame, x, y and, if known, area and mean (others are ignored), TRACKS.csv gets track_id, frame, x, y, parent_id, probability. With
//! STEP only every STEP-th frame is used and frames are numbered anew.
#![allow(clippy::print_stdout)]

use std::error::Error;

use track::{Detections, Frame, TrackOptions, track};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [points, result] = &arguments[..2] else {
        return Err("usage: track_points POINTS.csv TRACKS.csv [STEP]".into());
    };
    let step: usize = arguments.get(2).map_or(Ok(1), |s| s.parse())?;
    let mut detections = Detections::default();
    let frames = &mut detections.frames;
    let mut reader = csv::Reader::from_path(points)?;
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .ok_or(format!("no column {name}"))
    };
    let (area, mean) = (column("area"), column("mean"));
    let (ft, fx, fy) = (column("frame")?, column("x")?, column("y")?);
    for row in reader.records() {
        let row = row?;
        let t: usize = row[ft].parse()?;
        if !t.is_multiple_of(step) {
            continue;
        }
        let t = t / step;
        if frames.len() <= t {
            frames.resize(t + 1, Frame::default());
        }
        let (x, y): (f64, f64) = (row[fx].parse()?, row[fy].parse()?);
        let frame = &mut frames[t];
        if frame.x.iter().zip(&frame.y).any(|(&a, &b)| (a, b) == (x, y)) {
            continue;
        }
        frame.x.push(x);
        frame.y.push(y);
        if let Ok(k) = area {
            frame.area.push(row[k].parse()?);
        }
        if let Ok(k) = mean {
            frame.intensity.push(row[k].parse()?);
        }
    }
    let tracks = track(&detections, &TrackOptions::default())?;
    let mut writer = csv::Writer::from_path(result)?;
    writer.write_record(["track_id", "frame", "x", "y", "parent_id", "probability"])?;
    for o in &tracks.objects {
        let parent = tracks.tracks[o.track as usize - 1].parent.unwrap_or(0);
        writer.write_record([
            o.track.to_string(),
            o.frame.to_string(),
            o.x.to_string(),
            o.y.to_string(),
            parent.to_string(),
            o.probability.to_string(),
        ])?;
    }
    writer.flush()?;
    println!(
        "{} tracks, {} divisions\n{:#?}",
        tracks.tracks.len(),
        tracks.divisions.len(),
        tracks.model
    );
    for d in &tracks.divisions {
        println!("division {:?} {:?} p {:.3}", d.mother, d.daughters, d.probability);
    }
    for d in tracks.other_divisions.iter().filter(|d| d.probability > 0.05) {
        println!("other {:?} {:?} p {:.3}", d.mother, d.daughters, d.probability);
    }
    Ok(())
}
