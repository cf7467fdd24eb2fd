//! The wire does what it is told: what the other tests say of faults rests on that.

use std::time::Duration;

use crate::lab::Way;
use crate::support::{PROTOCOLS, eventually_true, now};
use crate::wire::lab_with_wire;

#[test]
fn without_faults_it_loses_nothing() {
    lab_with_wire("", |_, wire| {
        for protocol in PROTOCOLS {
            let mut client = wire.connect(protocol);
            (0..20).for_each(|_| client.echo([b'x'; 20_000]));
            assert_eq!(wire.traffic(&client, Way::Both).lost, 0);
        }
    });
}

#[test]
fn it_loses_so_many_of_one_client_and_none_of_the_other() {
    lab_with_wire("", |_, wire| {
        let [mut unlucky, mut lucky] = [(); 2].map(|()| wire.connect("raw"));
        wire.change(&unlucky, Way::Both, |faults| faults.loss = 0.2);
        for _ in 0..60 {
            unlucky.echo("x");
            lucky.echo("x");
        }
        let traffic = wire.traffic(&unlucky, Way::Both);
        let share = traffic.lost as f64 / (traffic.lost + traffic.carried) as f64;
        assert!((0.1..0.3).contains(&share), "{traffic:?}");
        assert_eq!(wire.traffic(&lucky, Way::Both).lost, 0);
    });
}

#[test]
fn a_delay_is_that_of_each_way() {
    const DELAY: Duration = Duration::from_millis(100);
    lab_with_wire("", |_, wire| {
        let mut client = wire.connect("raw");
        wire.change(&client, Way::Both, |faults| faults.delay = DELAY);
        let began = now();
        client.echo("far away");
        assert!(began.elapsed() >= DELAY * 2, "{:?}", began.elapsed());
    });
}

#[test]
fn it_loses_what_is_too_long_and_carries_the_rest() {
    lab_with_wire("", |_, wire| {
        let mut client = wire.connect("raw");
        wire.change(&client, Way::ToServer, |faults| faults.longest = Some(600));
        client.echo([b'x'; 500]);
        assert_eq!(wire.traffic(&client, Way::Both).lost, 0);
        client.send([b'x'; 1000]);
        eventually_true("it is lost", || wire.traffic(&client, Way::ToServer).lost > 0);
        wire.change(&client, Way::ToServer, |faults| faults.longest = None);
        client.expect([b'x'; 1000]);
    });
}

#[test]
fn it_loses_data_and_carries_acknowledgements() {
    lab_with_wire("", |_, wire| {
        let mut client = wire.connect("raw");
        let before = wire.traffic(&client, Way::ToServer);
        wire.change(&client, Way::ToServer, |faults| faults.drop_next_data = 1);
        client.echo("sent twice");
        assert_eq!(wire.traffic(&client, Way::ToServer).lost, before.lost + 1);
        wire.change(&client, Way::ToClient, |faults| faults.drop_data = true);
        client.send("echoed in vain");
        eventually_true("the echo is lost", || wire.traffic(&client, Way::ToClient).lost > 0);
        wire.change(&client, Way::ToClient, |faults| faults.drop_data = false);
        client.expect("echoed in vain");
    });
}
