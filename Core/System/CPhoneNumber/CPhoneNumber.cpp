#include "CPhoneNumber.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::NullLogger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace {

/// The library's one instance. Its own logger prints to standard output, which is a FastCGI
/// program's answer and must never show a number, so it is silenced first.
const PhoneNumberUtil &library() {
    static const PhoneNumberUtil *const instance = [] {
        PhoneNumberUtil *const instance = PhoneNumberUtil::GetInstance();
        instance->SetLogger(new NullLogger);  // owned by the library from here on
        return instance;
    }();
    return *instance;
}

void copy(const std::string &text, char *target, size_t capacity) {
    const size_t length = std::min(text.size(), capacity - 1);
    std::memcpy(target, text.data(), length);
    target[length] = '\0';
}

CPhoneNumberVerdict verdict(PhoneNumberUtil::ErrorType error) {
    switch (error) {
        case PhoneNumberUtil::NO_PARSING_ERROR: return CPhoneNumberPossible;
        case PhoneNumberUtil::INVALID_COUNTRY_CODE_ERROR: return CPhoneNumberUnknownCountryCode;
        case PhoneNumberUtil::TOO_LONG_NSN: return CPhoneNumberTooLong;
        case PhoneNumberUtil::NOT_A_NUMBER:
        case PhoneNumberUtil::TOO_SHORT_AFTER_IDD:
        case PhoneNumberUtil::TOO_SHORT_NSN: return CPhoneNumberTooShort;
    }
    return CPhoneNumberFailed;
}

CPhoneNumberVerdict verdict(PhoneNumberUtil::ValidationResult result) {
    switch (result) {
        case PhoneNumberUtil::IS_POSSIBLE: return CPhoneNumberPossible;
        case PhoneNumberUtil::INVALID_COUNTRY_CODE: return CPhoneNumberUnknownCountryCode;
        case PhoneNumberUtil::IS_POSSIBLE_LOCAL_ONLY:
        case PhoneNumberUtil::TOO_SHORT: return CPhoneNumberTooShort;
        case PhoneNumberUtil::TOO_LONG: return CPhoneNumberTooLong;
        case PhoneNumberUtil::INVALID_LENGTH: return CPhoneNumberWrongLength;
    }
    return CPhoneNumberFailed;
}

}  // namespace

CPhoneNumberReading CPhoneNumberRead(const char *number, size_t length, const char *region) {
    CPhoneNumberReading reading = {};
    try {
        PhoneNumber parsed;
        reading.verdict = verdict(library().Parse(std::string(number, length), region, &parsed));
        if (reading.verdict != CPhoneNumberPossible) return reading;
        reading.verdict = verdict(library().IsPossibleNumberWithReason(parsed));
        if (reading.verdict != CPhoneNumberPossible) return reading;

        // Says "ZZ" for a number of a shared code (+1, +7, +44 …) that lies in no region's ranges.
        std::string text;
        library().GetRegionCodeForNumber(parsed, &text);
        reading.valid = library().IsValidNumberForRegion(parsed, text);
        if (text == "ZZ") library().GetRegionCodeForCountryCode(parsed.country_code(), &text);
        if (text != "ZZ") copy(text, reading.region, sizeof reading.region);
        library().Format(parsed, PhoneNumberUtil::E164, &text);
        copy(text, reading.e164, sizeof reading.e164);
    } catch (...) {
        reading = {};
        reading.verdict = CPhoneNumberFailed;
    }
    return reading;
}

CPhoneNumberText CPhoneNumberFormat(const char *e164, size_t length, bool international) {
    CPhoneNumberText text = {};
    try {
        PhoneNumber parsed;
        if (library().Parse(std::string(e164, length), "ZZ", &parsed)
            != PhoneNumberUtil::NO_PARSING_ERROR) {
            return text;
        }
        std::string formatted;
        library().Format(
            parsed, international ? PhoneNumberUtil::INTERNATIONAL : PhoneNumberUtil::NATIONAL,
            &formatted);
        copy(formatted, text.characters, sizeof text.characters);
    } catch (...) {
        text = {};
    }
    return text;
}

bool CPhoneNumberKnowsRegion(const char *region) {
    try {
        return library().GetCountryCodeForRegion(region) != 0;
    } catch (...) {
        return false;
    }
}
