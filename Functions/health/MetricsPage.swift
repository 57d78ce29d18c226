import Core

/// A page in Prometheus's text format, version 0.0.4.
struct MetricsPage {
    /// What a figure does as time goes on.
    enum Kind: String {
        /// It goes up and down.
        case gauge
        /// It only goes up.
        case counter
    }

    /// A value and the labels that tell which one it is.
    struct Sample {
        let labels: KeyValuePairs<String, String>
        let value: Int64

        init(_ labels: KeyValuePairs<String, String>, _ value: some BinaryInteger) {
            self.labels = labels
            self.value = Int64(value)
        }
    }

    private var text = ""

    /// Adds a figure without labels.
    mutating func add(_ name: String, _ meaning: String, _ value: Int, kind: Kind = .gauge) {
        add(name, meaning, [Sample([:], value)], kind: kind)
    }

    /// Adds a figure with a value for each set of labels.
    ///
    /// Labels are the program's own words, so nothing in them needs escaping.
    mutating func add(
        _ name: String,
        _ meaning: String,
        _ samples: [Sample],
        kind: Kind = .gauge
    ) {
        text += "# HELP \(name) \(meaning)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
            text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.value)\n"
        }
    }

    /// The page.
    var response: Response {
        Response(
            headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            body: .bytes(Array(text.utf8))
        )
    }
}
