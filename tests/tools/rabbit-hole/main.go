// Administers a broker over its HTTP API with rabbit-hole, which Terraform's provider uses too.
package main

import (
	"fmt"
	"os"
	"reflect"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
)

const host = "rabbit-hole"

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect(what string, is, want any) {
	if !reflect.DeepEqual(is, want) {
		fmt.Fprintf(os.Stderr, "%s: %v, not %v\n", what, is, want)
		os.Exit(1)
	}
}

func main() {
	client, err := rabbithole.NewClient(os.Args[1], "guest", "guest")
	check("client", err)
	overview, err := client.Overview()
	check("overview", err)
	expect("listeners", len(overview.Listeners) >= 2, true)
	nodes, err := client.ListNodes()
	check("nodes", err)
	expect("running", nodes[0].IsRunning, true)

	_, err = client.PutVhost(host, rabbithole.VhostSettings{Description: "a test"})
	check("put vhost", err)
	defer client.DeleteVhost(host)
	_, err = client.PutUser("hole", rabbithole.UserSettings{Password: "pw", Tags: rabbithole.UserTags{"management"}})
	check("put user", err)
	defer client.DeleteUser("hole")
	all := rabbithole.Permissions{Configure: ".*", Write: ".*", Read: ".*"}
	_, err = client.UpdatePermissionsIn(host, "hole", all)
	check("permissions", err)
	granted, err := client.GetPermissionsIn(host, "hole")
	check("get permissions", err)
	expect("read", granted.Read, ".*")

	_, err = client.DeclareExchange(host, "x", rabbithole.ExchangeSettings{Type: "topic", Durable: true})
	check("declare exchange", err)
	arguments := map[string]any{"x-max-length": 5}
	_, err = client.DeclareQueue(host, "q", rabbithole.QueueSettings{Durable: true, Arguments: arguments})
	check("declare queue", err)
	queue, err := client.GetQueue(host, "q")
	check("get queue", err)
	expect("arguments", queue.Arguments["x-max-length"], float64(5))
	bind := rabbithole.BindingInfo{
		Source: "x", Vhost: host, Destination: "q", DestinationType: "queue", RoutingKey: "a.#",
		Arguments: map[string]any{},
	}
	_, err = client.DeclareBinding(host, bind)
	check("bind", err)
	bindings, err := client.ListQueueBindings(host, "q")
	check("bindings", err)
	expect("bindings", len(bindings), 2)

	policy := rabbithole.Policy{
		Pattern: "^q$", ApplyTo: "queues", Definition: rabbithole.PolicyDefinition{"max-length": 3},
	}
	_, err = client.PutPolicy(host, "p", policy)
	check("put policy", err)
	policies, err := client.ListPoliciesIn(host)
	check("policies", err)
	expect("policies", len(policies), 1)
	limits := rabbithole.VhostLimitsValues{"max-queues": 7}
	_, err = client.PutVhostLimits(host, limits)
	check("put limits", err)
	known, err := client.GetVhostLimits(host)
	check("get limits", err)
	expect("limits", known[0].Value["max-queues"], 7)

	queues, err := client.ListQueuesIn(host)
	check("queues", err)
	expect("queues", len(queues), 1)
	_, err = client.PurgeQueue(host, "q")
	check("purge", err)
	definitions, err := client.ListDefinitions()
	check("definitions", err)
	expect("definitions", definitions.Vhosts != nil, true)
	_, err = client.HealthCheckAlarms()
	check("alarms", err)
	_, err = client.GetQueue(host, "missing")
	expect("a missing queue", err != nil, true)
	_, err = client.DeleteQueue(host, "q")
	check("delete queue", err)
	fmt.Println("rabbit-hole: all is well")
}
