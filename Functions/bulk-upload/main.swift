// bulk-upload: lists of leads, as CSV files or Excel workbooks.
//
//   POST /api/leads/bulk-upload                 adds the good rows, names the others
//   POST /api/leads/bulk-upload?dry_run=true    the same answer, but nothing is stored
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let upload = BulkUpload(
        database: try Database(environment: environment),
        store: try LeadStore(environment: environment),
        defaultRegion: try environment.defaultRegion(),
        zone: try environment.zone(),
        clock: clock
    )
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: upload.router.respond)
}
