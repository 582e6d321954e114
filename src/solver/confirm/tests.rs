use super::*;

#[tokio::test(start_paused = true)]
async fn an_age_says_that_a_record_is_newer_only_by_more_than_a_second() {
    let seen = Instant::now() + Duration::from_mins(1);
    let listed = seen + Duration::from_secs(10);
    let value = TxtValue::parse("value").unwrap();
    for (age, made) in [(10, None), (9, None), (8, Some(seen + Duration::from_secs(2)))] {
        let record = Record {
            id: "0".repeat(32),
            value: value.as_str().to_owned(),
            comment: String::new(),
            age: Duration::from_secs(age),
        };
        assert_eq!(Listing(Some((listed, vec![record]))).made_after(seen, &value), made, "{age} s");
    }
}
