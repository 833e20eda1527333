using Hv.Conformance.Campaigns;

return CommandLine.Run(args);
