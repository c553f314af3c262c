fn main() {
    let broker = leveret::Broker::new();
    let address = broker.listen("127.0.0.1:5672").unwrap();
    println!("Server startup complete; AMQP on {address}");
    loop {
        std::thread::park();
    }
}
