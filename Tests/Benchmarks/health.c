// What Presales's /health is measured against: the least that a FastCGI program can do for the same answer.
//
//     cc -O2 -o health health.c -lfcgi && spawn-fcgi -n -s health.sock -- ./health
#include <fcgiapp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    // As many as Presales has threads.
    for (int i = 1; i < 8 && fork() > 0; i++) {
    }
    FCGX_Init();
    FCGX_Request request;
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        char time_text[40], body[128];
        time_t now = time(NULL) + 19800;
        struct tm local;
        gmtime_r(&now, &local);
        strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S+05:30", &local);
        int length = snprintf(body, sizeof body, "{\"status\":\"ok\",\"timestamp\":\"%s\"}", time_text);
        FCGX_FPrintF(request.out, "Status: 200\r\nContent-Type: application/json; charset=utf-8\r\n");
        FCGX_FPrintF(request.out, "Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n", length);
        FCGX_PutStr(body, length, request.out);
        FCGX_Finish_r(&request);
    }
}
