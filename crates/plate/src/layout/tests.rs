//! Names of real imagers against the built-in layouts, and layouts of one's own.

use super::*;

/// Real or documented names of every imager, and what they say: exactly one built-in layout explains each.
#[test]
fn one_layout_explains_each_imagers_names() {
    let layouts = builtin_layouts();
    let check =
        |path: &str, layout: &str, plate: &str, well: &str, (site, time): (i32, i32), channel: &str| {
            let found: Vec<(&str, FilePlace)> = layouts
                .iter()
                .filter_map(|l| l.explain(path).map(|place| (l.name.as_str(), place)))
                .collect();
            let [(name, place)] = found.as_slice() else {
                panic!("{path}: {found:?}")
            };
            let got = (
                *name,
                place.plate.as_deref().unwrap_or(""),
                place.well.to_string(),
                place.site,
                place.timepoint,
                place.channel.as_str(),
            );
            assert_eq!(
                got,
                (layout, plate, well.to_owned(), site, time, channel),
                "{path}"
            );
        };
    check(
        "source/PK-10B-pl1/Well-A003/Hoechst.jpeg",
        "imagehts",
        "PK-10B-pl1",
        "A03",
        (1, 0),
        "Hoechst",
    );
    check("Well-P024/FITC.jpeg", "imagehts", "", "P24", (1, 0), "FITC");
    check("images/Channel1-01-A-01.png", "bbbc013", "", "A01", (1, 0), "1");
    check("Channel2-72-F-12.png", "bbbc013", "", "F12", (1, 0), "2");
    check(
        "P7/images/Channel 2-12-A-12-00.tif",
        "bbbc013",
        "P7",
        "A12",
        (0, 0),
        "2",
    );
    check(
        "HTS_A01_s1_w30A163325-7B23-4E3C-BC17-E995BCF8818D.tif",
        "generic",
        "HTS",
        "A01",
        (1, 0),
        "3",
    );
    check(
        "ADSAStaphInfection2_A01_w2247376DD-6ADD-442D-AE47-F54A05F3EA94.tif",
        "generic",
        "ADSAStaphInfection2",
        "A01",
        (1, 0),
        "2",
    );
    check(
        "1649_1109_0003_Amp5-1_B_20070424_C20_w2_5F64C597-735E-435D-B49C-2A07B9D6DFC3.tif",
        "generic",
        "1649_1109_0003_Amp5-1_B_20070424",
        "C20",
        (1, 0),
        "2",
    );
    check(
        "101210OranePlt1_C16_w1_[9AA4D9EA-18E4-4354-8C7D-0202029A8048].tif",
        "generic",
        "101210OranePlt1",
        "C16",
        (1, 0),
        "1",
    );
    check(
        "TimePoint_2/Plate10x4sites_A01_s1_w1.TIF",
        "generic",
        "Plate10x4sites",
        "A01",
        (1, 2),
        "1",
    );
    check("P3/A01_s12_w1_z1.tif", "generic", "P3", "A01", (12, 0), "1");
    check(
        "new\nline_A02_s1_w1.tif",
        "generic",
        "new\nline",
        "A02",
        (1, 0),
        "1",
    );
    check(
        "P__2026-01-02-Measurement 1/Images/r03c03f03p01-ch4sk1fk1fl1.tiff",
        "harmony",
        "P__2026-01-02-Measurement 1",
        "C03",
        (3, 1),
        "4",
    );
    check(
        "Dest210809-141456_K06_T0001F001L01A03Z01C04.tif",
        "cellvoyager",
        "Dest210809-141456",
        "K06",
        (1, 1),
        "4",
    );
    check(
        "AssayPlate_Greiner_#655090_C02_T0001F001L01A01Z01C01.tif",
        "cellvoyager",
        "AssayPlate_Greiner_#655090",
        "C02",
        (1, 1),
        "1",
    );
    check(
        "A - 01(fld 1 wv 390 - Blue).tif",
        "incell",
        "",
        "A01",
        (1, 0),
        "390 - Blue",
    );
    check(
        "B - 03(fld 1 wv TL-Brightfield - Cy3 wix 2).tif",
        "incell",
        "",
        "B03",
        (1, 0),
        "TL-Brightfield - Cy3",
    );
    check(
        "Plate1_A - 01(fld 2 wv 390 - Blue z 3).tif",
        "incell",
        "Plate1",
        "A01",
        (2, 0),
        "390 - Blue",
    );
    check(
        "A - 1(fld 1 wv Cy5 - Cy5).tif",
        "incell",
        "",
        "A01",
        (1, 0),
        "Cy5 - Cy5",
    );
    check(
        "A1--W00001--P00001--Z00000--T00000--488nm.tif",
        "scanr",
        "",
        "A01",
        (1, 0),
        "488nm",
    );
    check("B7_01_1_3_DAPI_001.tif", "gen5", "", "B07", (3, 1), "DAPI");
    check(
        "AS_09047_050428030001_O01f00d2.TIF",
        "cellomics",
        "AS_09047_050428030001",
        "O01",
        (0, 0),
        "2",
    );
}

#[test]
fn names_that_say_nothing_are_not_explained() {
    for path in [
        "f00001.tif",
        "A01_s1_w1_thumb.tif",
        "x_Z99_s1_w1.tif",
        "x_A00_s1_w1.tif",
        "Channel1-01-A-01.txt",
        "r33c01f01p01-ch1sk1fk1fl1.tiff",
        "A01_s99999999999_w1.tif",
    ] {
        assert!(
            builtin_layouts()
                .iter()
                .all(|layout| layout.explain(path).is_none()),
            "{path}"
        );
    }
}

#[test]
fn a_layout_of_ones_own() {
    let text = "name = \"mine\"\npattern = '(?P<plate>[^/]+)/(?P<row>\\d+)-(?P<col>\\d+)/(?P<_tray>\\w)(?P<channel>\\w+)[.]png$'\ncounts_from = 0\n";
    let layout = Layout::parse(text, Path::new("mine.toml")).unwrap();
    let place = layout.explain("P1/2-11/xGFP.png").unwrap();
    assert_eq!(
        (place.well.to_string().as_str(), place.channel.as_str()),
        ("C12", "GFP")
    );
}

#[test]
fn broken_layouts_say_what_is_missing() {
    let problem = |text: &str| {
        Layout::parse(text, Path::new("mine.toml"))
            .unwrap_err()
            .to_string()
    };
    let with = |pattern: &str| format!("name = 'x'\npattern = '{pattern}'");
    assert!(problem("name = 3").contains("mine.toml"));
    assert!(problem(&with("(")).contains("regular expression"));
    assert!(problem(&with("(?P<channel>x)")).contains("well"));
    assert!(problem(&with("(?P<row>x)(?P<channel>x)")).contains("well"));
    assert!(problem(&with("(?P<well>x)")).contains("channel"));
    assert!(problem(&with("(?P<well>x)(?P<channel>x)(?P<field>x)")).contains("field"));
    assert!(problem(&format!("{}\nsites = 3", with("(?P<well>x)(?P<channel>x)"))).contains("sites"));
}

#[test]
fn what_layout_an_argument_means() {
    assert_eq!(LayoutChoice::from_argument("auto"), LayoutChoice::Auto);
    assert_eq!(
        LayoutChoice::from_argument("harmony"),
        LayoutChoice::Named("harmony".into())
    );
    assert_eq!(
        LayoutChoice::from_argument("mine.toml"),
        LayoutChoice::File("mine.toml".into())
    );
    let message = LayoutChoice::Named("harmoni".into())
        .layouts()
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("harmoni") && message.contains("harmony"),
        "{message}"
    );
}
