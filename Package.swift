// swift-tools-version: 6.0
import PackageDescription

/// What nginx calls: one executable for each.
let functions = [
    "leads", "bulk-upload", "call", "schedule", "analytics", "webhook-vapi", "webhook-whatsapp",
    "health",
]

/// What systemd timers start: each does its work once and exits.
let timers = ["call-orchestrator", "call-reconciler"]

let package = Package(
    name: "presales",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        .systemLibrary(
            name: "CFastCGI",
            path: "Core/System/CFastCGI",
            providers: [.apt(["libfcgi-dev"])]
        ),
        .systemLibrary(
            name: "CCurl",
            path: "Core/System/CCurl",
            providers: [.apt(["libcurl4-openssl-dev"])]
        ),
        .systemLibrary(
            name: "CSQLite",
            path: "Core/System/CSQLite",
            providers: [.apt(["libsqlite3-dev"])]
        ),
        .target(name: "CFileLock", path: "Core/System/CFileLock"),
        .target(
            name: "CMinizip",
            path: "Core/System/CMinizip",
            linkerSettings: [.linkedLibrary("minizip")]
        ),
        .target(
            name: "CExpat",
            path: "Core/System/CExpat",
            linkerSettings: [.linkedLibrary("expat")]
        ),
        .target(
            name: "CPhoneNumber",
            path: "Core/System/CPhoneNumber",
            linkerSettings: [.linkedLibrary("phonenumber")]
        ),
        .target(
            name: "Core",
            dependencies: [
                "CFastCGI", "CCurl", "CSQLite", "CFileLock", "CPhoneNumber", "CMinizip", "CExpat",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Core",
            exclude: ["System"]
        ),
        .executableTarget(
            name: "presalesctl",
            dependencies: [
                "Core", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Functions/presalesctl"
        ),
        .executableTarget(
            name: "sandbox",
            dependencies: [.product(name: "FlyingFox", package: "FlyingFox")],
            path: "Tests/Sandbox"
        ),
        .executableTarget(
            name: "store-stress",
            dependencies: ["Core", "CSQLite"],
            path: "Tests/Benchmarks/StoreStress"
        ),
        .executableTarget(
            name: "store-probe",
            dependencies: ["Core"],
            path: "Tests/StoreProbe"
        ),
        .executableTarget(
            name: "fastcgi-probe",
            dependencies: ["Core"],
            path: "Tests/FastCGIProbe"
        ),
        .target(name: "World", dependencies: ["Core"], path: "Tests/World"),
        .testTarget(name: "CoreTests", dependencies: ["Core", "World"]),
        .testTarget(
            name: "JourneyTests",
            dependencies: ["Core", "World", "sandbox", "webhook-vapi"]
        ),
        .testTarget(
            name: "FunctionTests",
            dependencies: ["Core", "World"] + (functions + timers).map { .target(name: $0) }
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

package.targets += functions.map {
    .executableTarget(name: $0, dependencies: ["Core"], path: "Functions/\($0)")
}
package.targets += timers.map {
    .executableTarget(name: $0, dependencies: ["Core"], path: "Functions/timers/\($0)")
}
