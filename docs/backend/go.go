// A code, exchanged by your own backend. Go 1.20 or newer, the standard library only.
//
//	ONETAP_URL=https://127.0.0.1:8443 ONETAP_SERVICE_TOKEN=… go run go.go CODE OPENID
//
// SSL_CERT_FILE names a CA file where Go does not know the server's (the sandbox's).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Answer is the phone object, or the problem that says why there is none (Retry says what to do).
type Answer struct {
	PhoneNumber string `json:"phoneNumber,omitempty"`
	CountryCode string `json:"countryCode,omitempty"`
	Code        string `json:"code,omitempty"`
	Detail      string `json:"detail,omitempty"`
	Retry       string `json:"retry,omitempty"`
	RequestID   string `json:"requestId"`
}

var client = &http.Client{Timeout: 10 * time.Second}

func exchangeOnce(code, openid string) (answer Answer, pause time.Duration, err error) {
	body, _ := json.Marshal(map[string]string{"code": code, "openid": openid})
	request, err := http.NewRequest("POST", os.Getenv("ONETAP_URL")+"/phone/consume", bytes.NewReader(body))
	if err != nil {
		return answer, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("ONETAP_SERVICE_TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return answer, time.Second, err
	}
	defer response.Body.Close()
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return answer, time.Duration(seconds) * time.Second, json.NewDecoder(response.Body).Decode(&answer)
}

// Exchange asks again where that is right: after a lost line (the server answers a repeat from its
// ledger) and where the problem says so.
func Exchange(code, openid string) (Answer, error) {
	const tries = 3
	for try := 1; ; try++ {
		answer, pause, err := exchangeOnce(code, openid)
		again := err != nil || answer.Retry == "same_code"
		if !again || try == tries {
			return answer, err
		}
		time.Sleep(pause)
	}
}

func main() {
	answer, err := Exchange(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, _ := json.Marshal(answer)
	fmt.Println(string(line))
	if answer.PhoneNumber == "" {
		os.Exit(1)
	}
}
