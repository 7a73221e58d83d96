-- Why a run was cancelled, where the request said so.
alter table runs add column cancel_reason text;
