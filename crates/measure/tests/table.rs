//! The table as a whole: columns, rings, what is not defined, and what is refused.

use image::Labels;
use measure::{MeasureError, MeasureParams, feature_names, measure};
use ndarray::{Array2, ArrayView2};

fn disk(r: usize, c: usize, r0: f32, c0: f32, radius: f32) -> bool {
    (r as f32 - r0).hypot(c as f32 - c0) <= radius
}

/// Two disks on a ground of 0.1, the first 0.5, the second 0.3, with a halo of 0.2 around the first.
fn scene() -> (Labels, Array2<f32>) {
    let labels = Labels::relabel(Array2::from_shape_fn((50, 90), |(r, c)| {
        if disk(r, c, 25.0, 22.0, 9.0) {
            1
        } else if disk(r, c, 25.0, 62.0, 9.0) {
            2
        } else {
            0
        }
    }));
    let plane = Array2::from_shape_fn((50, 90), |(r, c)| match labels.map[(r, c)] {
        1 => 0.5,
        2 => 0.3,
        _ if disk(r, c, 25.0, 22.0, 15.0) => 0.2,
        _ => 0.1,
    });
    (labels, plane)
}

fn named<'a>(planes: &[(&str, ArrayView2<'a, f32>)]) -> Vec<(String, ArrayView2<'a, f32>)> {
    planes
        .iter()
        .map(|(name, plane)| (name.to_string(), *plane))
        .collect()
}

#[test]
fn names_say_object_kind_and_channel_and_are_unique() {
    let names = feature_names(["DAPI", "GFP", "RFP"]);
    assert_eq!(names.len(), 17 + 3 * 26 + 3 * 2);
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for name in [
        "Nuclei_AreaShape_Area",
        "Cytoplasm_Intensity_MeanIntensity_GFP",
        "Nuclei_Correlation_Correlation_DAPI_RFP",
    ] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
}

#[test]
fn ring_ratio_and_difference() {
    let (labels, plane) = scene();
    let f = measure(&labels, &named(&[("A", plane.view())]), &MeasureParams::default()).unwrap();
    let value = |object: usize, name: &str| {
        let column = f.names.iter().position(|n| n == name).unwrap();
        f.values[(object, column)]
    };
    assert!((value(0, "Cytoplasm_Intensity_MeanIntensity_A") - 0.2).abs() < 1e-6);
    assert!((value(0, "Nuclei_Intensity_NucleusRingRatio_A") - 2.5).abs() < 1e-5);
    assert!((value(1, "Nuclei_Intensity_NucleusRingDifference_A") - 0.2).abs() < 1e-6);
    assert!((value(1, "Nuclei_Intensity_NucleusRingRatio_A") - 3.0).abs() < 1e-5);
    assert_eq!(value(1, "Cytoplasm_Intensity_StdIntensity_A"), 0.0);
}

#[test]
fn an_object_that_fills_the_image_has_no_ring() {
    let labels = Labels::relabel(Array2::ones((6, 6)));
    let plane = Array2::from_shape_fn((6, 6), |(r, c)| (r * c) as f32 / 40.0);
    let f = measure(&labels, &named(&[("A", plane.view())]), &MeasureParams::default()).unwrap();
    for (name, value) in f.names.iter().zip(f.values.row(0)) {
        let undefined = name.starts_with("Cytoplasm") || name.contains("Ring") || name.contains("Edge");
        assert_eq!(value.is_nan(), undefined, "{name} {value}");
    }
    assert!(f.objects[0].touches_border);
}

#[test]
fn no_objects_give_an_empty_table_with_columns() {
    let plane = Array2::<f32>::zeros((8, 8));
    let f = measure(
        &Labels::empty((8, 8)),
        &named(&[("A", plane.view())]),
        &MeasureParams::default(),
    )
    .unwrap();
    assert_eq!(f.values.dim(), (0, feature_names(["A"]).len()));
}

#[test]
fn a_turned_scene_gives_the_same_features() {
    let (labels, plane) = scene();
    let turned_labels = Labels::relabel(labels.map.t().to_owned());
    let turned_plane = plane.t().to_owned();
    let params = MeasureParams::default();
    let a = measure(&labels, &named(&[("A", plane.view())]), &params).unwrap();
    let b = measure(&turned_labels, &named(&[("A", turned_plane.view())]), &params).unwrap();
    for (x, y) in a.values.iter().zip(&b.values) {
        assert!((x - y).abs() <= 1e-5 * x.abs() + 1e-6, "{x} {y}");
    }
}

#[test]
fn wrong_requests_are_refused() {
    let (labels, plane) = scene();
    let small = Array2::<f32>::zeros((50, 89));
    let params = MeasureParams::default();
    let error = measure(
        &labels,
        &named(&[("A", plane.view()), ("B", small.view())]),
        &params,
    )
    .unwrap_err();
    assert!(error.to_string().contains("\"B\" is 50 × 89"), "{error}");
    let error = measure(
        &labels,
        &named(&[("A", plane.view()), ("A", plane.view())]),
        &params,
    )
    .unwrap_err();
    assert_eq!(error, MeasureError::DoubledChannel { channel: "A".into() });
    let params = MeasureParams {
        nucleus_channel: 1,
        ..params
    };
    let error = measure(&labels, &named(&[("A", plane.view())]), &params).unwrap_err();
    assert_eq!(
        error,
        MeasureError::NoSuchChannel {
            index: 1,
            channels: 1
        }
    );
}
