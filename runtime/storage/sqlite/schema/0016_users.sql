-- All that is known of the creator of a run, as JSON, for the code of graphs that runs for them; null for nobody in
-- particular. It may hold secrets, so it goes when the run leaves the queue for good.
alter table runs add column creator_details text;
