/// One link of a part of a workbook to another.
struct Relationship {
    /// What the part that links calls it.
    var id: String
    /// The last word of its type, such as `worksheet`; the address before it has changed over time.
    var type: String
    /// The name of the part that it leads to.
    var part: String
}

/// The links of one part, as the part beside it lists them.
final class Relationships: XMLReceiver {
    private(set) var all: [Relationship] = []
    /// The part that lists the links.
    let part: String
    /// The folders in which the part that links lies.
    private let folders: [Substring]

    /// Creates a receiver for the links of a part; the package itself is the part without a name.
    init(of part: String) {
        var path = part.split(separator: "/")
        let name = path.popLast() ?? ""
        folders = path
        self.part = (path + ["_rels", "\(name).rels"]).joined(separator: "/")
    }

    func begin(_ element: XMLElement) throws {
        guard element.name == "Relationship", element.attribute("TargetMode") != "External",
            let id = element.attribute("Id"), let type = element.attribute("Type"),
            let target = element.attribute("Target"), let word = type.split(separator: "/").last
        else { return }
        // A workbook has a few for each sheet, and each is a file's name.
        guard all.count < 4096, id.utf8.count + target.utf8.count + word.utf8.count < 1024 else {
            throw Workbook.Failure.damaged
        }
        all.append(Relationship(id: id, type: String(word), part: name(of: target)))
    }

    func text(_ bytes: UnsafeBufferPointer<UInt8>) {}
    func end(_ name: XMLName) {}

    /// The name that a target has in the archive; it counts from the part's own folder.
    private func name(of target: String) -> String {
        var path = target.hasPrefix("/") ? [] : folders
        for step in target.split(separator: "/") where step != "." {
            if step != ".." { path.append(step) } else { _ = path.popLast() }
        }
        return path.joined(separator: "/")
    }
}

/// What a workbook's main part says: its sheets, and from when its dates count.
final class WorkbookContents: XMLReceiver {
    /// The links to the visible sheets, in the order of their tabs.
    private(set) var visibleSheets: [String] = []
    /// Whether dates count from 1904, as on old Macs.
    private(set) var countsFrom1904 = false

    func begin(_ element: XMLElement) throws {
        if element.name == "workbookPr" {
            countsFrom1904 = ["1", "true"].contains(element.attribute("date1904"))
        } else if element.name == "sheet", [nil, "visible"].contains(element.attribute("state")),
            let id = element.attribute("id")
        {
            guard visibleSheets.count < 4096, id.utf8.count < 1024 else {
                throw Workbook.Failure.damaged
            }
            visibleSheets.append(id)
        }
    }

    func text(_ bytes: UnsafeBufferPointer<UInt8>) {}
    func end(_ name: XMLName) {}
}
