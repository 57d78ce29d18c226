// What the table shows: the search, the filters and the order.

const SEARCH_DELAY_MS = 250;
const DEFAULT_SORT = "-created";

/** The filter form. `onChange()` runs when the question to the server has changed. */
export class Filters {
    #form = document.getElementById("filters");
    #onChange;
    #timer = null;

    constructor(onChange) {
        this.#onChange = onChange;
        this.#restore();
        this.#form.addEventListener("submit", (event) => event.preventDefault());
        this.#form.addEventListener("input", ({ target }) => {
            clearTimeout(this.#timer);
            if (target.name === "q") this.#timer = setTimeout(() => this.#changed(), SEARCH_DELAY_MS);
            else this.#changed();
        });
        document.getElementById("clear-filters").addEventListener("click", () => this.clear());
        const toggle = document.getElementById("toggle-filters");
        toggle.addEventListener("click", () => {
            const expanded = toggle.getAttribute("aria-expanded") !== "true";
            toggle.setAttribute("aria-expanded", String(expanded));
        });
        this.#show();
    }

    /** The filters as a query of `/api/leads`, without paging; empty ones are left out. */
    get query() {
        const query = new URLSearchParams();
        for (const [name, value] of new FormData(this.#form)) if (value.trim()) query.set(name, value.trim());
        return query;
    }

    /** The order, such as `-created`. */
    get sort() {
        return this.#form.elements.sort.value;
    }

    /** Whether anything narrows the list. */
    get isNarrowed() {
        return this.#narrowing.length > 0;
    }

    /** Sets several fields at once, `{status: "pending"}`, and leaves the others. */
    set(values) {
        for (const [name, value] of Object.entries(values)) this.#form.elements[name].value = value;
        this.#changed();
    }

    /** The value of one field. */
    value(name) {
        return this.#form.elements[name].value;
    }

    /** Shows everything again. */
    clear() {
        const sort = this.sort;
        this.#form.reset();
        this.#form.elements.sort.value = sort;
        this.#changed();
    }

    /** Offers these partners, and keeps the chosen one. */
    offerPartners(partners) {
        const select = this.#form.elements.partner;
        const chosen = select.value || this.#wantedPartner;
        const wanted = chosen && !partners.includes(chosen) ? [chosen, ...partners] : partners;
        const current = [...select.options].slice(1).map((option) => option.value);
        if (JSON.stringify(current) === JSON.stringify(wanted)) return;
        select.replaceChildren(select.options[0], ...wanted.map((partner) => new Option(partner, partner)));
        select.value = chosen ?? "";
    }

    #wantedPartner = null;

    get #narrowing() {
        return [...this.query.keys()].filter((name) => name !== "sort");
    }

    #changed() {
        this.#show();
        this.#remember();
        this.#onChange();
    }

    #show() {
        const fields = this.#narrowing.filter((name) => name !== "q").length;
        const badge = document.getElementById("filter-count");
        badge.hidden = fields === 0;
        badge.textContent = fields;
        document.getElementById("clear-filters").hidden = !this.isNarrowed;
        for (const field of this.#form.elements) {
            if (field.name && field.name !== "sort") field.classList.toggle("input--set", field.value !== "");
        }
    }

    // The fragment never reaches a server's log. The search stays out of it all the same: it is usually a person's
    // name or number, and the fragment stays in the browser's history.
    #remember() {
        const query = this.query;
        query.delete("q");
        if (query.get("sort") === DEFAULT_SORT) query.delete("sort");
        history.replaceState(null, "", query.size ? `#${query}` : location.pathname);
    }

    #restore() {
        for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
            const field = this.#form.elements[name];
            if (!field || name === "q") continue;
            if (name === "partner") {
                this.#wantedPartner = value;
                field.append(new Option(value, value));
            }
            field.value = value;
            if (field.selectedIndex === -1) field.selectedIndex = 0;
        }
    }
}
