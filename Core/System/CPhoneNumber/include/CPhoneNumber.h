#ifndef CPHONENUMBER_H
#define CPHONENUMBER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What Google's libphonenumber says about the length and country of a number.
enum CPhoneNumberVerdict {
    CPhoneNumberPossible = 0,
    /// No country has this calling code.
    CPhoneNumberUnknownCountryCode = 1,
    /// Shorter than any number of its country, an area code may be missing.
    CPhoneNumberTooShort = 2,
    /// Longer than any number of its country.
    CPhoneNumberTooLong = 3,
    /// Neither the shortest nor the longest, but no number of its country has this many digits.
    CPhoneNumberWrongLength = 4,
    /// The library could not do its work (no memory).
    CPhoneNumberFailed = 5,
};

/// One number, read. Every string ends with a NUL and is empty unless the verdict is possible.
struct CPhoneNumberReading {
    enum CPhoneNumberVerdict verdict;
    /// Whether the number lies in a range that its country has given out, as the library knows it.
    bool valid;
    /// "+919876543210".
    char e164[24];
    /// ISO 3166 letters, "IN"; "001" for codes that belong to no country; empty when not known.
    char region[4];
};

/// Reads `length` characters, ASCII digits with or without a leading "+", as they would be dialled
/// from `region` (ISO 3166 letters, NUL-terminated; only used without "+").
/// Neither throws nor prints, may be called from any thread, and keeps nothing that must be freed.
struct CPhoneNumberReading CPhoneNumberRead(const char *number, size_t length, const char *region);

/// A formatted number, ended by a NUL.
struct CPhoneNumberText {
    char characters[64];
};

/// Writes the number the way people write it abroad, "+91 98765 43210", or in its own country,
/// "098765 43210". The text is empty for what is not a number.
struct CPhoneNumberText CPhoneNumberFormat(const char *e164, size_t length, bool international);

/// Whether `region` is a region the library knows, such as "IN".
bool CPhoneNumberKnowsRegion(const char *region);

#ifdef __cplusplus
}
#endif

#endif
