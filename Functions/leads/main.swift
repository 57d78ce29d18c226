// leads: the people to call.
//
//   GET    /api/leads                  a page of the list; see LeadQuery for the parameters
//   GET    /api/leads/export.csv       all leads of the same filter as a file
//   GET    /api/opt-outs/export.csv    who must not be contacted, with the proof
//   POST   /api/leads                  adds one; 409 when the number is known, 422 names the field
//   PATCH  /api/leads/:uuid            changes some fields; If-Match refuses a stale form with 412
//   DELETE /api/leads/:uuid            deletes one and cancels what was planned for it
//   GET    /api/leads/:uuid/details    one with its calls, decisions, plans and messages
//   GET    /api/leads/:uuid/messages   the messages alone
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let leads = Leads(
        database: try Database(environment: environment),
        store: try LeadStore(environment: environment),
        reader: try LeadReader(environment: environment),
        defaultRegion: try environment.defaultRegion(),
        zone: try environment.zone(),
        clock: clock
    )
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: leads.router.respond)
}
